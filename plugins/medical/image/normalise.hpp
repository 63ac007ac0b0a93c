/// Intensity normalisation, as (value - shift) / scale after an optional clip; sums are carried in f64 in a fixed order.
#pragma once

#include <cstdint>
#include <limits>

#include "tenon/tensor.hpp"

namespace tenon::medical {

struct Normalisation {
  double low = -std::numeric_limits<double>::infinity(), high = std::numeric_limits<double>::infinity();  ///< clip first
  double shift = 0, scale = 1;
};

struct IntensityStatistics {
  std::int64_t count = 0, not_finite = 0;  ///< of the voxels looked at; the rest describes the finite ones
  double mean = 0, deviation = 0, minimum = 0, maximum = 0, median = 0, p005 = 0, p995 = 0;  ///< percentiles .5 and 99.5, linear
};
/// Of an f32 [z, y, x] image, where `mask` (u8, same shape; may be undefined) is not zero. Percentiles sort a copy.
IntensityStatistics intensity_statistics(const Tensor& image, const Tensor& mask = {});

/// Per-image z-score (nnU-Net: divides by max(std, 1e-8)). With a mask only its voxels count.
Normalisation z_score(const Tensor& image, const Tensor& mask = {});
/// nnU-Net's CT rule: clip to the data set's foreground percentiles .5 and 99.5, subtract its mean, divide by its deviation.
Normalisation ct_normalisation(double p005, double p995, double mean, double deviation);

/// f32 -> f32, a new tensor. With a mask, voxels outside become 0.
Tensor normalise(const Tensor& image, const Normalisation& how, const Tensor& mask = {});
/// Back to the original units (clipped values stay clipped).
Tensor denormalise(const Tensor& image, const Normalisation& how);

}  // namespace tenon::medical
