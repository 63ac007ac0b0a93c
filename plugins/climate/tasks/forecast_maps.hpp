/// Charts and maps of the forecasting task: skill by lead time, where a forecast is good, and the days it missed most.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "climate/tasks/field_series.hpp"
#include "climate/tasks/forecast_scores.hpp"
#include "tenon/task.hpp"

namespace tenon::climate {

struct ForecastMaps {
  const GridSpec& grid;
  const std::vector<std::int64_t>& leads;
  double step_hours;
  std::string unit;
};

/// RMSE and anomaly correlation by lead, with their intervals, beside the baselines that `result` holds.
void add_skill_charts(Evaluation& result, const std::vector<std::int64_t>& leads, double step_hours, const std::string& unit);
/// For up to four leads a map of 1 - MSE / MSE of climatology.
void add_skill_maps(Evaluation& result, const ForecastMaps& maps, const ForecastScores& scores, const ForecastScores& climatology);
/// Truth, forecast and error of the `count` times of largest RMSE at the first lead. `forecast`: [lead] [times, points] anomalies; `mean(t)`
/// is the climatology of a position of the series.
void picture_worst(Evaluation& result, const ForecastMaps& maps, int count, const std::vector<std::int64_t>& verifying, const std::vector<float>& truth,
                   const std::vector<std::vector<float>>& forecast, const std::function<std::vector<double>(std::int64_t)>& mean);

}  // namespace tenon::climate
