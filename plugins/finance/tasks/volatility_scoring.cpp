#include "finance/tasks/volatility_scoring.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <fmt/format.h>

#include "finance/scores/forecast_scores.hpp"
#include "finance/volatility/risk.hpp"
#include "finance/volatility/special.hpp"

namespace tenon::finance {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kBlock = 20;  ///< days, a trading month: losses cluster

double mean_of(std::span<const double> values) { return std::accumulate(values.begin(), values.end(), 0.0) / double(values.size()); }

std::vector<double> numbers(std::span<const std::uint8_t> hits, double factor) {
  std::vector<double> values;
  for (auto h : hits) values.push_back(factor * h);
  return values;
}

Chart var_chart(std::span<const double> years, std::span<const double> returns, const RiskForecasts& model, const RiskScores& scores, const std::vector<double>& levels) {
  Chart chart{"Value at risk " + percent(levels.front()), "year", "return (%)", {}, {}};
  const std::vector<double> x(years.begin(), years.end());
  Curve came{"return", x, {returns.begin(), returns.end()}};
  came.reference = true;
  Curve line{"-VaR", x, model.var.front()}, hits{"exceedance", {}, {}};
  for (double& v : line.y) v = -v;
  hits.kind = Curve::Kind::points;
  for (std::size_t t = 0; t < returns.size(); ++t)
    if (scores.hits.front()[t]) {
      hits.x.push_back(years[t]);
      hits.y.push_back(returns[t]);
    }
  chart.note = fmt::format("{} exceedances in {} days, {:.1f} expected", hits.x.size(), returns.size(), levels.front() * double(returns.size()));
  chart.curves = {std::move(came), std::move(line), std::move(hits)};
  return chart;
}

/// Exceedances so far less those expected, with the band that a calibrated forecast leaves one day in twenty.
Chart count_chart(std::span<const double> years, const RiskScores& scores, const std::vector<double>& levels) {
  Chart chart{"Exceedances above expectation, so far", "year", "days", {}, {}};
  for (std::size_t k = 0; k < levels.size(); ++k) {
    Curve curve{"VaR " + percent(levels[k]), {years.begin(), years.end()}, {}};
    double count = 0;
    for (std::size_t t = 0; t < years.size(); ++t) curve.y.push_back((count += scores.hits[k][t]) - levels[k] * double(t + 1));
    chart.curves.push_back(std::move(curve));
  }
  Curve band{"0 at " + percent(levels.back()), {years.begin(), years.end()}, std::vector<double>(years.size(), 0.0)};
  for (std::size_t t = 0; t < years.size(); ++t) {
    const double width = 1.959963984540054 * std::sqrt(double(t + 1) * levels.back() * (1 - levels.back()));
    band.low.push_back(-width);
    band.high.push_back(width);
  }
  band.reference = true;
  chart.curves.push_back(std::move(band));
  chart.note = "band: 95 % of calibrated forecasts at " + percent(levels.back()) + " lie within it on a given day";
  return chart;
}

Chart deviation_chart(std::span<const double> years, const RiskForecasts& model, const RiskForecasts& reference) {
  Chart chart{"Forecast deviation of the next day's return", "year", "deviation (%)", {}, {}};
  for (const RiskForecasts* f : {&model, &reference}) {
    Curve curve{f->name, {years.begin(), years.end()}, f->variance};
    for (double& v : curve.y) v = std::sqrt(v);
    curve.reference = f == &reference;
    chart.curves.push_back(std::move(curve));
  }
  return chart;
}

Chart pit_chart(std::span<const double> pit) {
  constexpr std::size_t kBins = 20;
  std::vector<double> share(kBins, 0), x;
  double n = 0;
  for (double p : pit)
    if (std::isfinite(p)) {
      share[std::min(std::size_t(p * kBins), kBins - 1)] += 1;
      ++n;
    }
  for (std::size_t i = 0; i < kBins; ++i) {
    share[i] *= double(kBins) / n;
    x.push_back((double(i) + 0.5) / kBins);
  }
  Curve bars{"density", x, share};
  bars.kind = Curve::Kind::bars;
  Curve flat{"calibrated", {0, 1}, {1, 1}};
  flat.reference = true;
  return {"Where returns fell in the forecast distribution", "probability integral transform", "density", {std::move(bars), std::move(flat)}, "flat: calibrated"};
}

}  // namespace

std::string percent(double share) { return fmt::format("{:g} %", 100 * share); }

RiskScores score_risk(std::span<const double> returns, double mean, const RiskForecasts& f, const std::vector<double>& levels) {
  RiskScores s;
  s.tail_loss.resize(levels.size());
  s.hits.resize(levels.size());
  for (std::size_t t = 0; t < returns.size(); ++t) {
    const double ratio = (returns[t] - mean) * (returns[t] - mean) / f.variance[t];
    s.qlike.push_back(ratio > 0 ? ratio - std::log(ratio) - 1 : kNaN);
    for (std::size_t k = 0; k < levels.size(); ++k) {
      s.tail_loss[k].push_back(pinball(returns[t], -f.var[k][t], levels[k]));
      s.hits[k].push_back(returns[t] < -f.var[k][t]);
    }
  }
  return s;
}

std::vector<MetricColumn> risk_columns(const std::vector<double>& levels) {
  std::vector<MetricColumn> columns(1);
  columns[0].name = "QLIKE";
  columns[0].higher_is_better = false;
  for (double p : levels) {
    MetricColumn column;
    column.higher_is_better = false;
    column.name = "tail loss " + percent(p);
    columns.push_back(column);
    column.name = "exceedances " + percent(p);
    column.unit = "%";
    column.ideal = 100 * p;
    columns.push_back(column);
    column.ideal = kNaN;
    column.unit = "";
    column.higher_is_better = true;
    column.per_case = false;
    for (const char* test : {"Kupiec p ", "Christoffersen p "}) {
      column.name = test + percent(p);
      columns.push_back(column);
    }
  }
  return columns;
}

std::vector<double> risk_values(const RiskScores& s, const std::vector<double>& levels, std::size_t begin, std::size_t end, bool tests) {
  double sum = 0;
  std::size_t scored = 0;
  for (std::size_t t = begin; t < end; ++t)
    if (std::isfinite(s.qlike[t])) {
      sum += s.qlike[t];
      ++scored;
    }
  std::vector<double> values{scored ? sum / double(scored) : kNaN};
  for (std::size_t k = 0; k < levels.size(); ++k) {
    const auto hits = std::span<const std::uint8_t>(s.hits[k]).subspan(begin, end - begin);
    const std::int64_t count = std::count(hits.begin(), hits.end(), std::uint8_t(1));
    values.push_back(mean_of(std::span<const double>(s.tail_loss[k]).subspan(begin, end - begin)));
    values.push_back(100 * double(count) / double(hits.size()));
    values.push_back(tests ? kupiec(std::int64_t(hits.size()), count, levels[k]).p : kNaN);
    values.push_back(tests && hits.size() > 1 ? christoffersen(hits).p : kNaN);
  }
  return values;
}

std::vector<Interval> risk_totals(const RiskScores& s, const std::vector<double>& levels) {
  const auto values = risk_values(s, levels, 0, s.qlike.size(), true);
  std::vector<Interval> totals;
  for (double v : values) totals.push_back({v, kNaN, kNaN});
  auto interval = [&](std::size_t column, std::vector<double> days) {
    std::erase_if(days, [](double v) { return !std::isfinite(v); });
    if (std::int64_t(days.size()) <= kBlock) return;  // one block would hold them all
    const Interval around = block_bootstrap_mean(days, kBlock);
    totals[column].low = around.low;
    totals[column].high = around.high;
  };
  interval(0, s.qlike);
  for (std::size_t k = 0; k < levels.size(); ++k) {
    interval(1 + 4 * k, s.tail_loss[k]);
    interval(2 + 4 * k, numbers(s.hits[k], 100));
  }
  return totals;
}

std::vector<Chart> risk_charts(std::span<const double> years, std::span<const double> returns, const RiskForecasts& model, const RiskScores& scores,
                               const RiskForecasts& reference, std::span<const double> pit, const std::vector<double>& levels) {
  return {var_chart(years, returns, model, scores, levels), count_chart(years, scores, levels), deviation_chart(years, model, reference), pit_chart(pit)};
}

}  // namespace tenon::finance
