/// Scores forecasts of a panel at several horizons as they come, one window of one series at a time.
///
/// Every score is kept a window, so that a mean over windows has an interval (blocks of consecutive origins) and two forecasts can be compared
/// origin by origin. All windows count: of each horizon every origin whose steps lie in the part, none dropped to fill batches.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "finance/scores/forecast_scores.hpp"
#include "finance/tasks/forecast_params.hpp"
#include "finance/tasks/series_data.hpp"
#include "tenon/metrics.hpp"

namespace tenon::finance {

class PanelScorer {
 public:
  /// `data` must outlive the scorer.
  PanelScorer(const ForecastSettings& settings, const SeriesData& data, const std::string& split);

  const std::vector<std::int64_t>& origins() const noexcept { return origins_; }  ///< rows of the first step ahead, of the shortest horizon
  std::int64_t origins(std::size_t horizon) const noexcept { return counts_[horizon]; }  ///< how many of them, from the first, have all steps
  /// The longest horizon that an origin has.
  std::int64_t steps_at(std::int64_t place) const;

  /// Forecasts from origin `place` on, in the series' own units: points [steps], at_quantiles [steps, Q] rising (empty for point forecasts).
  /// Different series may be added at the same time; a series' origins in any order.
  void add(std::int64_t series, std::int64_t place, std::span<const double> points, std::span<const double> at_quantiles);

  /// One value a column of forecast_columns(): of a series, and of all (a mean over series, WQL pooled).
  std::vector<double> of_series(std::int64_t series) const;
  std::vector<double> of_all() const;
  /// The same with 95 % intervals: moving blocks of consecutive origins, one horizon long. Means over horizons: NaN (they
  /// are means over the series' values), for WQL the value without bounds.
  std::vector<Interval> totals() const;
  /// A score, of `scores` of the settings, of each origin of a horizon, mean over series. For WQL the pinball loss over the mean |a|.
  std::vector<double> by_origin(std::size_t score, std::size_t horizon) const;
  /// Mean squared error of each step of the longest horizon, in the model's units.
  std::vector<double> mse_by_step() const;
  /// Sums over all series and windows of a horizon, in the series' own units.
  ForecastSums pooled(std::size_t horizon) const;

 private:
  struct Values {
    double mse = 0, mae = 0, mase = 0, smape = 0, coverage = 0, pinball = 0, actual = 0;
  };
  const Values& at(std::int64_t series, std::size_t horizon, std::int64_t place) const;
  double value(const std::string& score, const Values& v) const;
  double of(const std::string& score, std::int64_t series, std::size_t horizon) const;  ///< series < 0: all

  const ForecastSettings& settings_;
  const SeriesData& data_;
  std::vector<std::int64_t> origins_, counts_;
  std::vector<std::vector<double>> actual_;              ///< [N][T], own units
  std::vector<double> mase_scale_;
  std::vector<std::vector<std::vector<Values>>> values_;  ///< [N][horizon][place]
  std::vector<std::vector<ForecastSums>> sums_;           ///< [N][horizon]
  std::vector<std::vector<double>> squares_;              ///< [N][step]
};

}  // namespace tenon::finance
