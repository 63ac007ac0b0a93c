/// Scores of variance and VaR forecasts over days, and the charts of their report.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tenon/metrics.hpp"
#include "tenon/task.hpp"

namespace tenon::finance {

/// What is scored: forecasts for the same days, one after the other.
struct RiskForecasts {
  std::string name, source;
  std::vector<double> variance;             ///< [day]
  std::vector<std::vector<double>> var;     ///< [level][day]
};

/// Losses a day, and exceedances.
struct RiskScores {
  std::vector<double> qlike;                      ///< s/h - ln(s/h) - 1, s the squared deviation of the return from the mean training return
  std::vector<std::vector<double>> tail_loss;     ///< [level][day] pinball loss of -VaR as the return's quantile
  std::vector<std::vector<std::uint8_t>> hits;    ///< [level][day]: the return fell below -VaR
};
/// `mean`: of the training returns.
RiskScores score_risk(std::span<const double> returns, double mean, const RiskForecasts& forecasts, const std::vector<double>& levels);

/// QLIKE, then of each level: tail loss, share of exceedances (%), p-values of Kupiec's and Christoffersen's tests.
std::vector<MetricColumn> risk_columns(const std::vector<double>& levels);
/// Values of those columns over days [begin, end); p-values NaN where `tests` is false.
std::vector<double> risk_values(const RiskScores& scores, const std::vector<double>& levels, std::size_t begin, std::size_t end, bool tests);
/// Over all days, with 95 % intervals from blocks of 20 days of QLIKE, tail loss and share.
std::vector<Interval> risk_totals(const RiskScores& scores, const std::vector<double>& levels);

/// "1 %", "2.5 %".
std::string percent(double share);

/// `years`: of each day, as 2008.75.
std::vector<Chart> risk_charts(std::span<const double> years, std::span<const double> returns, const RiskForecasts& model, const RiskScores& scores,
                               const RiskForecasts& reference, std::span<const double> pit, const std::vector<double>& levels);

}  // namespace tenon::finance
