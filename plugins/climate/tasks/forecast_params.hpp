/// Declared parameters of the forecasting task's sections, and their values.
#pragma once

#include "climate/tasks/forecast.hpp"

namespace tenon::climate {

ParamSpec forecast_params();
ParamSpec forecast_augment_params();
ParamSpec forecast_loss_params();
ParamSpec forecast_baselines_params();
ForecastSettings forecast_settings(const TaskContext& context);

}  // namespace tenon::climate
