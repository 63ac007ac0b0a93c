/// The recipe sections of medical.segmentation: what may be said in each, and what was.
/// All readers throw usage errors "medical.recipe" that name the key.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "medical/tasks/patch_sampler.hpp"
#include "medical/tasks/scoring.hpp"
#include "medical/tasks/sliding_window.hpp"
#include "tenon/params.hpp"

namespace tenon::medical {

const ParamSpec& patch_params();
const ParamSpec& augment_params();
const ParamSpec& loss_params();
const ParamSpec& predict_params();
const ParamSpec& metrics_params();
const ParamSpec& baselines_params();

std::array<std::int64_t, 3> patch_size(const ParamValues& patch, std::int64_t levels);
SpatialSettings spatial_settings(const ParamValues& augment);
IntensitySettings intensity_settings(const ParamValues& augment);
WindowSettings window_settings(const ParamValues& predict, const std::array<std::int64_t, 3>& patch, std::int64_t levels,
                               std::int64_t classes);
ScoreSettings score_settings(const ParamValues& metrics, const std::vector<std::string>& label_names);

}  // namespace tenon::medical
