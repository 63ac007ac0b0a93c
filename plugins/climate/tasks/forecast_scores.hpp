/// Scores of forecasts of fields: area-weighted RMSE and anomaly correlation for each lead and verification time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tenon/task.hpp"

namespace tenon::climate {

/// Of one forecaster over a split.
struct ForecastScores {
  std::int64_t leads = 0, times = 0, points = 0;
  std::vector<double> square;        ///< [leads, times]: weighted mean squared error of each field
  std::vector<double> correlation;   ///< [leads, times]: weighted, uncentred anomaly correlation; NaN where a field is 0
  std::vector<double> point_square;  ///< [leads, points]: mean squared error over the times

  /// Root of the mean over times and points of the weighted squared error: the root comes after the time mean.
  double rmse(std::int64_t lead) const;
  double acc(std::int64_t lead) const;  ///< mean over times; NaN where no time has one
};

/// Scores `forecast` against `truth`, both anomalies f32 [times, points] of one lead each: forecast[lead], truth. Weights one a point, mean 1.
ForecastScores score_forecasts(const std::vector<std::vector<float>>& forecast, const std::vector<float>& truth, const std::vector<double>& weights);

/// "RMSE day 1" for each lead, then "ACC day 1" for each lead.
std::vector<MetricColumn> forecast_columns(const std::vector<std::int64_t>& leads, double step_hours, const std::string& unit);
/// "day 1", or "hour 6" where steps are no whole days.
std::string lead_name(std::int64_t lead, double step_hours);
/// In the order of the columns.
std::vector<double> column_values(const ForecastScores& scores);

}  // namespace tenon::climate
