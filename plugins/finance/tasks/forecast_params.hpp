/// What the recipe of a finance.forecast run may say, beside [data] (series_data.hpp).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tenon/params.hpp"
#include "tenon/task.hpp"

namespace tenon::finance {

const ParamSpec& window_params();
const ParamSpec& forecast_loss_params();
const ParamSpec& forecast_metrics_params();
const ParamSpec& forecast_baselines_params();

struct ForecastSettings {
  std::int64_t look_back = 96, origin_step = 1;
  std::vector<std::int64_t> horizons;  ///< rising; the model forecasts the last, each is scored over its own windows
  std::string loss = "mse";            ///< mse, mae, huber, quantile
  double delta = 1;                    ///< of huber
  std::vector<double> quantiles;       ///< rising; empty for point forecasts
  std::vector<std::string> scores;     ///< mse, mae, mase, smape, wql, coverage
  std::int64_t season = 1;
  std::int64_t walk_window = 250;
  bool walk_logarithms = false;

  std::int64_t horizon() const { return horizons.back(); }
  std::int64_t outputs() const { return quantiles.empty() ? 1 : std::int64_t(quantiles.size()); }
};

/// Throws usage errors finance.recipe that name the key.
ForecastSettings forecast_settings(const ParamValues& window, const ParamValues& loss, const ParamValues& metrics, const ParamValues& baselines);

/// The columns of the result table: for each score one a horizon, "MSE 96", then their mean, "MSE mean", where there are several.
std::vector<MetricColumn> forecast_columns(const ForecastSettings& settings);

}  // namespace tenon::finance
