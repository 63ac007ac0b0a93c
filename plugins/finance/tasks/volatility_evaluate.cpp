#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "finance/scores/diebold_mariano.hpp"
#include "finance/tasks/prediction_file.hpp"
#include "finance/tasks/volatility.hpp"
#include "finance/tasks/volatility_scoring.hpp"
#include "finance/volatility/risk.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

namespace tenon::finance {
namespace {

double year_of(std::int64_t ns) {
  const std::int64_t days = ns / kNsPerDay - (ns % kNsPerDay < 0);
  const std::int64_t year = civil_from_days(days).year, first = days_from_civil(year, 1, 1), next = days_from_civil(year + 1, 1, 1);
  return double(year) + double(days - first) / double(next - first);
}

RiskForecasts reference(std::span<const double> returns, std::int64_t begin, std::int64_t end, const std::vector<double>& levels, const VolatilitySettings& s,
                        VarMethod method, Innovation innovation, const std::string& name) {
  VarOptions o;
  o.method = method;
  o.model.innovation = innovation;
  o.levels = levels;
  o.window = s.baseline_window;
  o.refit_every = s.refit_every;
  VarForecasts f = forecast_var(returns, begin, end, o);
  const std::string fits = f.fits ? fmt::format("; {} fits, {} flagged", f.fits, f.flagged) : "";
  return {name, fmt::format("computed: the last {} days before each{}", s.baseline_window, fits), std::move(f.variance), std::move(f.var)};
}

std::string tested(const RiskScores& model, const RiskScores& other, const std::string& name, const std::vector<double>& levels) {
  std::vector<double> a, b;
  for (std::size_t t = 0; t < model.qlike.size(); ++t)
    if (std::isfinite(model.qlike[t]) && std::isfinite(other.qlike[t])) {
      a.push_back(model.qlike[t]);
      b.push_back(other.qlike[t]);
    }
  std::string line = "against " + name + ": ";
  if (a.size() > 1) {
    const auto dm = diebold_mariano(a, b, 1);
    line += fmt::format("QLIKE t {:.2f}, p {:.2g}", dm.statistic, dm.p_value);
  }
  for (std::size_t k = 0; k < levels.size(); ++k) {
    const auto dm = diebold_mariano(model.tail_loss[k], other.tail_loss[k], 1);
    line += fmt::format("; tail loss {} t {:.2f}, p {:.2g}", percent(levels[k]), dm.statistic, dm.p_value);
  }
  return line;
}

}  // namespace

std::vector<MetricColumn> VolatilityTask::columns() const { return risk_columns(settings_.levels); }

Evaluation VolatilityTask::evaluate(nn::Module& model, const std::string& split, int pictures, const Monitor& monitor) {
  const Panel& features = this->features();
  const Part days = part(split);
  if (days.end - days.begin < 2)
    throw Error(ErrorKind::data, "finance.rows", "the split '" + split + "' holds " + std::to_string(days.end - days.begin) + " days", "give data.validation_until or data.test_until later days",
                file().string());
  const VolatilityForecasts all = forecast(model, features, monitor);
  const auto& levels = settings_.levels;
  auto cut = [&](const std::vector<double>& v) {
    return std::vector<double>(v.begin() + (days.begin - all.first), v.begin() + (days.end - all.first));
  };
  RiskForecasts own{"model", "", cut(all.variance), {}};
  for (const auto& var : all.var) own.var.push_back(cut(var));
  for (std::size_t t = 0; t < own.variance.size(); ++t) {
    if (!std::isfinite(own.variance[t]) || !(own.variance[t] > 0))
      throw Error(ErrorKind::data, "finance.forecast_not_finite", "the model's variance is " + std::to_string(own.variance[t]), "train anew with a lower schedule.learning_rate", split);
    if (std::isnan(own.var[0][t]))
      throw Error(ErrorKind::data, "finance.short_history",
                  "VaR from residuals needs 250 days of forecasts before the first that is scored, there are " + std::to_string(std::int64_t(t) + days.begin - all.first),
                  "score a later part, or set risk.quantiles = \"innovations\"", split);
  }
  const std::vector<double> returns = features.series(0);
  const auto came = std::span<const double>(returns).subspan(std::size_t(days.begin), std::size_t(days.end - days.begin));
  const RiskScores scores = score_risk(came, scale_.mean, own, levels);

  Evaluation result;
  result.split = split;
  result.columns = columns();
  result.totals = risk_totals(scores, levels);
  std::map<std::int64_t, std::pair<std::size_t, std::size_t>> years;  // a case: a calendar year
  std::vector<double> when;
  for (std::int64_t t = days.begin; t < days.end; ++t) {
    when.push_back(year_of(features.times[std::size_t(t)]));
    const std::size_t at = std::size_t(t - days.begin);
    const auto [year, fresh] = years.try_emplace(std::int64_t(std::floor(when.back())), at, at + 1);
    year->second.second = at + 1;
  }
  for (const auto& [year, range] : years) result.cases.push_back({std::to_string(year), risk_values(scores, levels, range.first, range.second, false), {}});

  // the first row has no return, so a window may not hold it
  if (days.begin - 1 >= settings_.baseline_window) {
    monitor.turn("fitting GARCH", 0, 1);
    std::vector<RiskForecasts> references;
    references.push_back(reference(returns, days.begin, days.end, levels, settings_, VarMethod::garch, Innovation::normal, "GARCH, normal"));
    references.push_back(reference(returns, days.begin, days.end, levels, settings_, VarMethod::garch, Innovation::student, "GARCH, Student's t"));
    references.push_back(reference(returns, days.begin, days.end, levels, settings_, VarMethod::historical, Innovation::normal, "historical simulation"));
    result.notes.push_back("Diebold-Mariano tests by day (Harvey-Leybourne-Newbold, no lags; t < 0: the model is better; two-sided p)");
    for (const auto& r : references) {
      const RiskScores of_reference = score_risk(came, scale_.mean, r, levels);
      result.baselines.push_back({r.name, risk_values(of_reference, levels, 0, came.size(), true), r.source});
      result.notes.push_back(tested(scores, of_reference, r.name, levels));
    }
    if (pictures > 0) {
      std::vector<double> pit = cut(all.pit);
      result.charts = risk_charts(when, came, own, scores, references.front(), pit, levels);
    }
  } else {
    result.notes.push_back(fmt::format("no GARCH beside it: fewer than {} days of returns before {}", settings_.baseline_window, time_text(features.times[std::size_t(days.begin)])));
  }
  for (const auto& b : published_) result.baselines.push_back(b);
  result.notes.push_back(fmt::format("returns: simple, in per cent, of '{}'; realised variance in QLIKE: squared deviation from the mean training return; days whose return is that mean do not count",
                                     settings_.columns.price));
  result.notes.push_back(settings_.filtered ? fmt::format("VaR: quantiles of the standardised residuals of the last {} days before each (or all there are)", settings_.residuals)
                                            : "VaR: quantiles of the fitted innovations");
  result.notes.push_back("intervals: blocks of 20 days; tests: Kupiec 1995 and Christoffersen 1998 (independence), small p: the forecast fails");
  return result;
}

std::vector<std::filesystem::path> VolatilityTask::predict(nn::Module& model, const std::vector<std::filesystem::path>& inputs, const PredictOptions& options) {
  if (!ready_) throw_usage("VolatilityTask::predict", "neither trained nor told what training saw");
  const auto outputs = plan_prediction_files(inputs, options, ".risk.csv");
  std::vector<std::filesystem::path> written;
  for (std::size_t f = 0; f < inputs.size(); ++f) {
    options.monitor.turn("predicting", std::int64_t(f), std::int64_t(inputs.size()));
    const Panel features = read(inputs[f]);
    const VolatilityForecasts all = forecast(model, features, options.monitor);
    std::string text = "after,deviation";
    for (double p : settings_.levels) text += fmt::format(",VaR_{:g}", p);
    text += "\n";
    for (std::size_t i = 0; i < all.variance.size(); ++i) {
      text += fmt::format("{},{:.9g}", time_text(features.times[std::size_t(all.first - 1) + i]), std::sqrt(all.variance[i]));
      for (const auto& var : all.var) text += std::isnan(var[i]) ? "," : fmt::format(",{:.9g}", var[i]);
      text += "\n";
    }
    files().make_directories(options.output);
    write_atomic(outputs[f], text);
    written.push_back(outputs[f]);
  }
  options.monitor.turn("predicting", std::int64_t(inputs.size()), std::int64_t(inputs.size()));
  return written;
}

}  // namespace tenon::finance
