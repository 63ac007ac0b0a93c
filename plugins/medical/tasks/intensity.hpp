/// Which changes of grey values a patch gets (tenon/patches.hpp makes them).
///
/// Ranges follow nnU-Net v2 (Isensee et al. 2021). Numbers depend on the Random given and nothing else. Thread-safe.
#pragma once

#include "tenon/patches.hpp"
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

/// What is drawn for one channel of a patch.
IntensityChange draw_intensity(const IntensitySettings& settings, const Random& random);

}  // namespace tenon::medical
