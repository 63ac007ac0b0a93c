#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "finance/tools/common.hpp"
#include "finance/tools/tools.hpp"
#include "finance/volatility/risk.hpp"
#include "tenon/error.hpp"
#include "tenon/io/utf8.hpp"

namespace tenon::finance {
namespace {

const std::vector<std::string> kMethods = {"historical", "filtered", "filtered-gjr", "garch", "garch-t", "gjr", "gjr-t"};

VarOptions options_of(const std::string& name, const ParamValues& params) {
  VarOptions o;
  o.method = name == "historical" ? VarMethod::historical : name.starts_with("filtered") ? VarMethod::filtered : VarMethod::garch;
  o.model.leverage = name.find("gjr") != name.npos;
  o.model.innovation = name.ends_with("-t") ? Innovation::student : Innovation::normal;
  o.levels = params.reals("levels");
  for (double& level : o.levels) level /= 100;
  o.window = params.integer("window");
  o.refit_every = params.integer("refit_every");
  return o;
}

struct Result {
  std::string method;
  VarForecasts forecasts;
};

Json judged(const Result& r, const std::vector<double>& levels, std::span<const double> returns, double significance) {
  Json rows = Json::array();
  for (std::size_t l = 0; l < levels.size(); ++l) {
    const auto& var = r.forecasts.var[l];
    std::vector<std::uint8_t> hits(var.size());
    std::int64_t x = 0;
    double beyond = 0;
    for (std::size_t d = 0; d < var.size(); ++d) {
      hits[d] = returns[d] < -var[d];
      x += hits[d];
      if (hits[d]) beyond += returns[d] / r.forecasts.shortfall[l][d];
    }
    const auto days = std::int64_t(var.size());
    const RatioTest k = kupiec(days, x, levels[l]), c = christoffersen(hits), both = conditional_coverage(hits, levels[l]);
    Json row;
    row["level"] = levels[l];
    row["days"] = days;
    row["exceedances"] = x;
    row["expected"] = levels[l] * double(days);
    row["share"] = double(x) / double(days);
    row["kupiec"] = {{"statistic", k.statistic}, {"p", k.p}};
    row["christoffersen"] = {{"statistic", c.statistic}, {"p", c.p}};
    row["conditional_coverage"] = {{"statistic", both.statistic}, {"p", both.p}};
    row["acerbi_szekely_z2"] = 1 + beyond / (double(days) * levels[l]);
    row["passes"] = k.p > significance && c.p > significance;
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string csv_of(const ReturnSeries& s, std::int64_t first, std::span<const double> realised, const std::vector<Result>& results, const std::vector<double>& levels) {
  std::string out = s.has_calendar ? "time,return" : "row,return";
  for (const auto& r : results) {
    out += fmt::format(",variance_{}", r.method);
    for (double level : levels) out += fmt::format(",var_{}_{:g},shortfall_{}_{:g}", r.method, 100 * level, r.method, 100 * level);
  }
  out += '\n';
  for (std::size_t d = 0; d < realised.size(); ++d) {
    const auto t = s.times[std::size_t(first) + d];
    out += fmt::format("{},{}", s.has_calendar ? time_text(t) : std::to_string(t + 1), realised[d]);
    for (const auto& r : results) {
      out += fmt::format(",{}", r.forecasts.variance[d]);
      for (std::size_t l = 0; l < levels.size(); ++l) out += fmt::format(",{},{}", r.forecasts.var[l][d], r.forecasts.shortfall[l][d]);
    }
    out += '\n';
  }
  return out;
}

int run(const std::vector<std::string>& inputs, const ParamValues& params, ToolContext& context) {
  require_output_free(params, inputs);
  const ReturnSeries series = read_returns(inputs, params, "var");
  auto [from, to] = chosen_rows(series, params);
  const std::int64_t window = params.integer("window");
  if (params.text("begin").empty()) from = std::max(from, window);
  const auto& methods = params.texts("methods");
  if (methods.empty()) throw_usage("var", "no method", "--methods historical,filtered,garch-t");
  for (std::size_t m = 0; m < methods.size(); ++m)
    if (std::find(methods.begin(), methods.begin() + std::ptrdiff_t(m), methods[m]) != methods.begin() + std::ptrdiff_t(m)) throw_usage("var", "--methods names '" + methods[m] + "' twice", "name each once");
  const double significance = params.real("significance");
  std::vector<double> levels = params.reals("levels");
  if (levels.empty()) throw_usage("var", "no level", "--levels 1,2.5,5");
  for (std::size_t l = 0; l < levels.size(); ++l)
    if (std::find(levels.begin(), levels.begin() + std::ptrdiff_t(l), levels[l]) != levels.begin() + std::ptrdiff_t(l)) throw_usage("var", fmt::format("--levels names {:g} twice", levels[l]), "name each once");
  for (double& level : levels) level /= 100;
  if (from >= to) throw Error(ErrorKind::usage, "finance.window", fmt::format("{} returns are no more than the window of {}", to, window), "a shorter --window", series.file);
  const std::span<const double> realised(series.values.data() + from, std::size_t(to - from));
  std::vector<double> squares;
  for (double r : realised) squares.push_back(r * r);
  std::vector<Result> results;
  for (std::size_t m = 0; m < methods.size(); ++m) {
    context.progress(std::int64_t(m), std::int64_t(methods.size()));
    try {
      results.push_back({methods[m], forecast_var(series.values, from, to, options_of(methods[m], params))});
    } catch (const Error& e) {
      throw e.at(series.file);
    }
    if (context.interrupted()) return 130;
  }
  Json conventions = conventions_of(params);
  conventions["window"] = window;
  conventions["refit_every"] = params.integer("refit_every");
  conventions["var"] = "positive loss; an exceedance is a return below -VaR";
  conventions["quantile"] = "linear between order statistics";
  conventions["significance"] = significance;
  conventions["qlike"] = "s/h - ln(s/h) - 1 with s = squared return, days of return 0 left out";
  Json out;
  out["file"] = series.file;
  out["column"] = series.column;
  out["days"] = to - from;
  if (series.has_calendar) out["first"] = time_text(series.times[std::size_t(from)]), out["last"] = time_text(series.times[std::size_t(to - 1)]);
  out["dropped"] = series.dropped;
  Json table = Json::array();
  for (const auto& r : results) {
    table.push_back({{"method", r.method}, {"levels", judged(r, levels, realised, significance)}, {"qlike", qlike(squares, r.forecasts.variance)}, {"fits", r.forecasts.fits}, {"flagged_fits", r.forecasts.flagged}});
  }
  out["methods"] = table;
  out["conventions"] = conventions;
  out["notes"] = series.notes;
  const std::string written = write_output(params, params.text("output").empty() ? std::string() : csv_of(series, from, realised, results, levels));
  if (!written.empty()) out["output"] = written;
  if (context.json()) {
    context.print(json_text(out));
    return 0;
  }
  context.print(fmt::format("VaR of '{}' in {}: {} one-step forecasts{}", series.column, series.file, to - from,
                            series.has_calendar ? fmt::format(", {} to {}", out["first"].get<std::string>(), out["last"].get<std::string>()) : ""));
  std::vector<std::vector<std::string>> rows = {{"method", "level", "exceedances", "expected", "Kupiec p", "Christoffersen p", "both p", "Z2", "QLIKE", "passes"}};
  for (const Json& m : out["methods"]) {
    for (const Json& l : m["levels"]) {
      rows.push_back({m["method"], fmt::format("{:g} %", 100 * l["level"].get<double>()), std::to_string(l["exceedances"].get<std::int64_t>()), fmt::format("{:.1f}", l["expected"].get<double>()),
                      fmt::format("{:.4f}", l["kupiec"]["p"].get<double>()), fmt::format("{:.4f}", l["christoffersen"]["p"].get<double>()), fmt::format("{:.4f}", l["conditional_coverage"]["p"].get<double>()),
                      fmt::format("{:.3f}", l["acerbi_szekely_z2"].get<double>()), fmt::format("{:.4f}", m["qlike"].get<double>()), l["passes"].get<bool>() ? "yes" : "no"});
    }
  }
  context.print(table_text(rows));
  for (const Json& m : out["methods"]) {
    if (m["flagged_fits"].get<std::int64_t>()) context.print(fmt::format("flag: {}: {} of {} fits lie on a bound, do not converge or have no unconditional variance", m["method"].get<std::string>(), m["flagged_fits"].get<std::int64_t>(), m["fits"].get<std::int64_t>()));
  }
  context.print("conventions: " + one_line(conventions));
  for (const auto& note : series.notes) context.status("note: " + note);
  return 0;
}

}  // namespace

ToolEntry var_tool() {
  ParamSpec spec = {texts_param("methods", {"historical", "filtered", "garch", "garch-t"}, "how: historical quantiles, quantiles of GARCH residuals, or the fitted innovations", kMethods),
                    reals_param("levels", {1, 2.5, 5}, "tail probabilities", 0.01, 49, "%"),
                    integer_param("window", 1000, "returns before each forecast that it is made from", 100, 1e6),
                    integer_param("refit_every", 1, "periods from fit to fit", 1, 1e6),
                    real_param("significance", 0.05, "p below which a test rejects", 1e-6, 0.5)};
  add_series_params(spec);
  add_output_params(spec, "CSV of the forecasts of every day");
  return {"var", "rolling one-step value at risk, judged by Kupiec's and Christoffersen's tests", "FILE", spec, run};
}

}  // namespace tenon::finance
