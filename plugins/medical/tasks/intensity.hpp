/// Random changes of a patch's grey values: what a scan might have looked like on another machine.
///
/// All draws are made first (`draw_intensity`), then applied in few passes: blur and low resolution are separable; brightness,
/// contrast, gamma and noise share two. Ranges and order follow nnU-Net v2 (Isensee et al. 2021), except that noise comes
/// last. Numbers depend on the Random given and nothing else. Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "tenon/params.hpp"
#include "tenon/random.hpp"

namespace tenon::medical {

/// One kind of change: how often, and the range its strength is drawn from.
struct Chance {
  double probability = 0, low = 0, high = 0;
};

struct IntensitySettings {
  Chance noise;           ///< variance of additive Gaussian noise
  Chance blur;            ///< sigma of a Gaussian, voxels
  Chance brightness;      ///< factor
  Chance shift;           ///< added; standard deviation in `high`, `low` unused
  Chance contrast;        ///< factor about the patch's mean, its range kept
  Chance low_resolution;  ///< relative resolution
  Chance gamma;           ///< exponent, mean and deviation kept
  Chance inverted_gamma;  ///< the same on the negative image
};

/// What was drawn for one patch; neutral values change nothing.
struct IntensityDraw {
  float noise = 0;  ///< standard deviation
  float blur = 0, brightness = 1, shift = 0, contrast = 1, low_resolution = 1, gamma = 1, inverted_gamma = 1;
  bool neutral() const;
};

IntensityDraw draw_intensity(const IntensitySettings& settings, const Random& random);

/// Changes one channel of a patch in place: values[(z ny + y) nx + x) * step]. `noise` is this channel's own generator.
void apply_intensity(float* values, const std::array<std::int64_t, 3>& size, std::int64_t step, const IntensityDraw& draw,
                     const Random& noise);

}  // namespace tenon::medical
