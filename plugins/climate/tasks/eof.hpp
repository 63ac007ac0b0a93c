/// Empirical orthogonal functions of area-weighted anomalies.
///
/// X = anomaly sqrt(weight) = U s V: the patterns are V (unit vectors), their amplitudes X V, their variances s^2 / (n - 1). The sign of a
/// pattern is such that its loading of largest size is positive.
#pragma once

#include <cstdint>
#include <vector>

#include "tenon/tensor.hpp"

namespace tenon::climate {

struct Eofs {
  Tensor patterns;                     ///< f64 [count, points]
  std::vector<double> root_weights;    ///< one a point
  std::vector<double> variance_share;  ///< of each

  std::int64_t count() const { return patterns.size(0); }
  std::int64_t points() const { return patterns.size(1); }
  /// f64 [times, count] of anomalies f32 [times, points].
  Tensor amplitudes(const float* anomalies, std::int64_t times) const;
  /// Adds to `out` [points] the anomaly whose amplitudes are given [count].
  void add_field(const double* amplitudes, double* out) const;
};

/// Of anomalies f32 [times, points] at the given positions; `weights` one a point. By the smaller of the two Gram matrices. Throws
/// climate.too_short where there are fewer positions or points than `count`.
Eofs fit_eofs(const float* anomalies, std::int64_t points, const std::vector<std::int64_t>& times, const std::vector<double>& weights, std::int64_t count);

}  // namespace tenon::climate
