#include <fmt/format.h>

#include "medical/tasks/segmentation.hpp"
#include "medical/tasks/segmentation_params.hpp"
#include "tenon/error.hpp"

namespace tenon::medical {

const ParamSpec& patch_params() {
  static const ParamSpec spec{
      integers_param("size", {40, 56, 40}, "voxels of a training sample along z, y, x; multiples of 2^loss.levels", 1, 4096),
      real_param("foreground", 1.0 / 3, "share of a batch's samples that must hold foreground", 0, 1),
  };
  return spec;
}

const ParamSpec& augment_params() {
  static const ParamSpec spec{
      real_param("rotation_probability", 0.2, "share of samples that are rotated", 0, 1),
      real_param("rotation", 30, "largest angle about each axis", 0, 180, "degrees"),
      real_param("scale_probability", 0.2, "share of samples that are scaled", 0, 1),
      reals_param("scale", {0.7, 1.4}, "range of the scan's voxels a patch voxel spans", 0.1, 10),
      integers_param("mirror", {}, "axes mirrored at random: 0 = z, 1 = y, 2 = x", 0, 2),
      real_param("noise_probability", 0.1, "share of samples with added Gaussian noise", 0, 1),
      reals_param("noise_variance", {0, 0.1}, "range of its variance", 0, 100),
      real_param("blur_probability", 0.1, "share of samples that are blurred", 0, 1),
      reals_param("blur_sigma", {0.5, 1}, "range of the Gaussian's sigma", 0.01, 10, "voxels"),
      real_param("brightness_probability", 0.15, "share of samples with another brightness", 0, 1),
      reals_param("brightness", {0.75, 1.25}, "range of the factor", 0, 10),
      real_param("shift_probability", 0, "share of samples with a constant added", 0, 1),
      real_param("shift_deviation", 0.1, "standard deviation of that constant", 0, 10),
      real_param("contrast_probability", 0.15, "share of samples with another contrast about their mean, range kept", 0, 1),
      reals_param("contrast", {0.75, 1.25}, "range of the factor", 0, 10),
      real_param("low_resolution_probability", 0.125, "share of samples shown as a coarser scan", 0, 1),
      reals_param("low_resolution", {0.5, 1}, "range of the relative resolution", 0.05, 1),
      real_param("gamma_probability", 0.3, "share of samples with another gamma, mean and deviation kept", 0, 1),
      real_param("inverted_gamma_probability", 0.1, "the same on the negative", 0, 1),
      reals_param("gamma", {0.7, 1.5}, "range of the exponent", 0.05, 20),
      text_param("where", "host",
                 "who makes the patches: \"host\", threads ahead of the step; \"device\", the step itself from scans in the device's memory", {"host", "device"}),
  };
  return spec;
}

const ParamSpec& loss_params() {
  static const ParamSpec spec{
      integer_param("levels", 3, "resolutions that are supervised, weights 1, 1/2, 1/4...; the model halves its input this many times", 1,
                    8),
  };
  return spec;
}

const ParamSpec& predict_params() {
  static const ParamSpec spec{
      real_param("step", 0.5, "distance of windows, as a share of the patch", 0.05, 1),
      boolean_param("gaussian", true, "weigh windows by a Gaussian"),
      integers_param("mirror", {}, "axes whose mirrored predictions are averaged in: 0 = z, 1 = y, 2 = x", 0, 2),
      real_param("whole_factor", 1.25, "a scan at most this many patches long along every axis is one window", 1, 16),
      integer_param("batch", 2, "windows a run of the model", 1, 256),
  };
  return spec;
}

const ParamSpec& metrics_params() {
  static const ParamSpec spec{
      texts_param("scores", {"dice"}, "columns of the result table", {"dice", "hd95", "nsd"}),
      text_param("surface", "surfel", "definition of the surface for hd95 and nsd", {"surfel", "voxel"}),
      real_param("tolerance", 1, "distance that NSD forgives", 0, 100, "mm"),
  };
  return spec;
}

const ParamSpec& baselines_params() {
  static const ParamSpec spec{
      boolean_param("atlas", true, "score the image-blind atlas of the training labels beside the model"),
      published_param(),
  };
  return spec;
}

namespace {

[[noreturn]] void refuse(const std::string& key, const std::string& what, const std::string& hint) {
  throw Error(ErrorKind::usage, "medical.recipe", what, hint, key);
}

Chance chance(const ParamValues& v, const std::string& probability, const std::string& range) {
  const auto& r = v.reals(range);
  if (r.size() != 2) refuse("augment." + range, std::to_string(r.size()) + " values", "give a range, [low, high]");
  if (r[0] > r[1]) refuse("augment." + range, fmt::format("[{}, {}] falls", r[0], r[1]), "give a range, [low, high]");
  return {v.real(probability), r[0], r[1]};
}

std::vector<int> axes(const ParamValues& v, const std::string& key, const std::string& section) {
  std::vector<int> list;
  for (auto axis : v.integers(key)) {
    for (int other : list)
      if (other == int(axis)) refuse(section + "." + key, "axis " + std::to_string(axis) + " twice", "name each axis once");
    list.push_back(int(axis));
  }
  return list;
}

}  // namespace

std::array<std::int64_t, 3> patch_size(const ParamValues& patch, std::int64_t levels) {
  const auto& size = patch.integers("size");
  if (size.size() != 3) refuse("patch.size", std::to_string(size.size()) + " values", "give three: along z, y and x");
  const std::int64_t divisor = std::int64_t(1) << levels;
  for (auto n : size)
    if (n % divisor)
      refuse("patch.size", std::to_string(n) + " is not a multiple of " + std::to_string(divisor),
             "the model halves it loss.levels = " + std::to_string(levels) + " times");
  return {size[0], size[1], size[2]};
}

SpatialSettings spatial_settings(const ParamValues& v) {
  SpatialSettings s;
  s.rotation = {v.real("rotation_probability"), -v.real("rotation"), v.real("rotation")};
  s.scale = chance(v, "scale_probability", "scale");
  s.mirror = axes(v, "mirror", "augment");
  return s;
}

IntensitySettings intensity_settings(const ParamValues& v) {
  IntensitySettings s;
  s.noise = chance(v, "noise_probability", "noise_variance");
  s.blur = chance(v, "blur_probability", "blur_sigma");
  s.brightness = chance(v, "brightness_probability", "brightness");
  s.shift = {v.real("shift_probability"), 0, v.real("shift_deviation")};
  s.contrast = chance(v, "contrast_probability", "contrast");
  s.low_resolution = chance(v, "low_resolution_probability", "low_resolution");
  s.gamma = chance(v, "gamma_probability", "gamma");
  s.inverted_gamma = chance(v, "inverted_gamma_probability", "gamma");
  return s;
}

WindowSettings window_settings(const ParamValues& v, const std::array<std::int64_t, 3>& patch, std::int64_t levels, std::int64_t classes) {
  WindowSettings s;
  s.patch = patch;
  s.step = v.real("step");
  s.gaussian = v.boolean("gaussian");
  s.mirror = axes(v, "mirror", "predict");
  s.whole_factor = v.real("whole_factor");
  s.batch = v.integer("batch");
  s.divisor = std::int64_t(1) << levels;
  s.classes = classes;
  return s;
}

ScoreSettings score_settings(const ParamValues& v, const std::vector<std::string>& label_names) {
  ScoreSettings s;
  s.label_names = label_names;
  s.metrics = v.texts("scores");
  if (s.metrics.empty()) refuse("metrics.scores", "empty", "name at least \"dice\"");
  s.surface = v.text("surface");
  s.tolerance = v.real("tolerance");
  return s;
}

}  // namespace tenon::medical
