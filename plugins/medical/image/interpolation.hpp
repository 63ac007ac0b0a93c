/// One-dimensional interpolation tables and the B-spline prefilter: what separable resampling is made of.
///
/// A table lists for each output position a window of `taps` input positions and their weights; positions beyond the
/// edge are folded into the window, so that inner loops have no branch.
#pragma once

#include <cstdint>
#include <vector>

namespace tenon::medical {

struct InterpolationTable {
  std::int64_t taps = 1;
  std::vector<std::int64_t> start;  ///< [n_out]: first input position of the window
  std::vector<float> weights;       ///< [n_out, taps]
};

/// Order 0, 1 or 3; src = (dst + .5) * n_in / n_out - .5, edge value beyond the edge. For order 3 the table applies to
/// B-spline coefficients as `bspline_prefilter` makes them.
InterpolationTable interpolation_table(std::int64_t n_in, std::int64_t n_out, int order);

/// Samples to cubic B-spline coefficients in place along the middle axis of [outer, n, inner], for the signal that
/// continues its first and last sample for ever (exact sums, no truncation; Unser, IEEE SPM 16(6), 1999).
void bspline_prefilter(float* data, std::int64_t outer, std::int64_t n, std::int64_t inner);

/// out[o, d, i] = sum over t of weights[d, t] * in[o, start[d] + t, i].
void interpolate_axis(const float* in, float* out, std::int64_t outer, std::int64_t n_in, std::int64_t n_out, std::int64_t inner,
                      const InterpolationTable& table);

}  // namespace tenon::medical
