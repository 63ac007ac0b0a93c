#include <fmt/format.h>

#include <cmath>

#include "finance/tools/common.hpp"
#include "finance/tools/tools.hpp"
#include "finance/volatility/garch.hpp"
#include "tenon/error.hpp"
#include "tenon/io/utf8.hpp"

namespace tenon::finance {
namespace {

std::string csv_of(const ReturnSeries& s, std::int64_t from, std::span<const double> y, const GarchFit& fit) {
  const auto h = garch_variances(y, fit.model, fit.parameters);
  std::string out = s.has_calendar ? "time,return,residual,variance,volatility\n" : "row,return,residual,variance,volatility\n";
  for (std::size_t i = 0; i < y.size(); ++i) {
    const auto t = s.times[std::size_t(from) + i];
    out += fmt::format("{},{},{},{},{}\n", s.has_calendar ? time_text(t) : std::to_string(t + 1), y[i], y[i] - fit.parameters[0], h[i], std::sqrt(h[i]));
  }
  return out;
}

int run(const std::vector<std::string>& inputs, const ParamValues& params, ToolContext& context) {
  require_output_free(params, inputs);
  const ReturnSeries series = read_returns(inputs, params, "garch");
  const auto [from, to] = chosen_rows(series, params);
  const std::span<const double> y(series.values.data() + from, std::size_t(to - from));
  GarchModel model;
  model.leverage = params.text("model") == "gjr";
  model.innovation = params.text("innovations") == "t" ? Innovation::student : Innovation::normal;
  GarchFit fit;
  try {
    fit = fit_garch(y, model);
  } catch (const Error& e) {
    throw e.at(series.file);
  }
  const auto names = model.names();
  const double periods = params.real("periods_per_year"), n = double(fit.observations), k = model.size();
  const double level = fit.persistence < 1 ? fit.parameters[1] / (1 - fit.persistence) : NAN;
  const auto forecast = garch_forecast(fit, params.integer("horizon"));
  Json conventions = conventions_of(params);
  conventions["mean"] = "constant, fitted";
  conventions["presample"] = "e_0^2 = h_0 = mean of e_t^2 at the fitted mean";
  conventions["errors"] = "Hessian; robust H^-1 G'G H^-1";
  conventions["periods_a_year"] = periods;
  Json out;
  out["file"] = series.file;
  out["column"] = series.column;
  out["model"] = model.str();
  out["observations"] = fit.observations;
  if (series.has_calendar) out["first"] = time_text(series.times[std::size_t(from)]), out["last"] = time_text(series.times[std::size_t(to - 1)]);
  out["dropped"] = series.dropped;
  Json parameters = Json::array();
  for (std::size_t i = 0; i < names.size(); ++i) {
    parameters.push_back({{"name", names[i]}, {"estimate", fit.parameters[i]}, {"se_hessian", json_number(fit.se_hessian[i])}, {"se_robust", json_number(fit.se_robust[i])}});
  }
  out["parameters"] = parameters;
  out["log_likelihood"] = fit.log_likelihood;
  out["aic"] = 2 * k - 2 * fit.log_likelihood;
  out["bic"] = k * std::log(n) - 2 * fit.log_likelihood;
  out["persistence"] = fit.persistence;
  out["half_life"] = json_number(fit.persistence > 0 && fit.persistence < 1 ? std::log(0.5) / std::log(fit.persistence) : NAN);
  out["unconditional_volatility"] = json_number(std::sqrt(level));
  out["unconditional_volatility_a_year"] = json_number(std::sqrt(level * periods));
  out["converged"] = fit.converged;
  out["iterations"] = fit.iterations;
  out["largest_score"] = fit.score_size;
  out["flags"] = fit.flags;
  out["forecast_variance"] = forecast;
  out["conventions"] = conventions;
  out["notes"] = series.notes;
  const std::string written = write_output(params, params.text("output").empty() ? std::string() : csv_of(series, from, y, fit));
  if (!written.empty()) out["output"] = written;
  if (context.json()) {
    context.print(json_text(out));
    return 0;
  }
  context.print(fmt::format("{} of '{}' in {}: {} observations{}", model.str(), series.column, series.file, fit.observations,
                            series.has_calendar ? fmt::format(", {} to {}", out["first"].get<std::string>(), out["last"].get<std::string>()) : ""));
  std::vector<std::vector<std::string>> rows = {{"parameter", "estimate", "se (Hessian)", "se (robust)", "t (robust)"}};
  for (std::size_t i = 0; i < names.size(); ++i) {
    rows.push_back({names[i], number_text(fit.parameters[i], 12), number_text(fit.se_hessian[i], 8), number_text(fit.se_robust[i], 8), number_text(fit.parameters[i] / fit.se_robust[i], 4)});
  }
  context.print(table_text(rows));
  context.print(fmt::format("log-likelihood {:.10f}, AIC {:.4f}, BIC {:.4f}; persistence {:.6f}", fit.log_likelihood, out["aic"].get<double>(), out["bic"].get<double>(), fit.persistence));
  context.print(std::isnan(level) ? "no unconditional volatility" : fmt::format("unconditional volatility {:.6g} a period, {:.6g} a year", std::sqrt(level), std::sqrt(level * periods)));
  std::string ahead;
  for (double h : forecast) ahead += (ahead.empty() ? "" : ", ") + number_text(std::sqrt(h));
  context.print("volatility forecast, from the next period on: " + ahead);
  context.print("conventions: " + one_line(conventions));
  for (const auto& flag : fit.flags) context.print("flag: " + flag);
  for (const auto& note : series.notes) context.status("note: " + note);
  if (series.dropped) context.status(fmt::format("note: {} rows without a value were dropped", series.dropped));
  return 0;
}

}  // namespace

ToolEntry garch_tool() {
  ParamSpec spec = {text_param("model", "garch", "GARCH(1,1), or with leverage GJR(1,1)", {"garch", "gjr"}),
                    text_param("innovations", "normal", "normal, or Student's t of unit variance", {"normal", "t"}),
                    integer_param("horizon", 5, "periods ahead to forecast the variance", 1, 10000),
                    real_param("periods_per_year", 252, "of the returns, for volatility a year", 1e-3, 1e9)};
  add_series_params(spec);
  add_output_params(spec, "CSV of returns, residuals and conditional variances");
  return {"garch", "fit GARCH(1,1) or GJR by maximum likelihood, with robust errors, bounds flagged", "FILE", spec, run};
}

}  // namespace tenon::finance
