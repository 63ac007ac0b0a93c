/// What a convolution is, in numbers: the key under which backends prepare and cache their programs.
#pragma once

#include <array>
#include <compare>
#include <cstdint>

#include "tenon/dtype.hpp"

namespace tenon {

/// Three maps share one geometry, each bilinear and each the gradient of the other two:
///   forward          x, w  -> y
///   input_gradient   y, w  -> x
///   weight_gradient  x, y  -> w
/// x [batch, in..., in_channels], y [batch, out..., out_channels], w [out_channels, kernel..., in_channels / groups].
/// Axes past `spatial` have size 1. Rows past what the last window reads are allowed (in may exceed what out needs by
/// less than a stride).
struct ConvGeometry {
  using Sizes = std::array<std::int64_t, 3>;
  int spatial = 1;
  DType dtype = DType::f32;  ///< of x and y; w is f32, for f64 f64
  std::int64_t batch = 1, in_channels = 1, out_channels = 1, groups = 1;
  Sizes in{1, 1, 1}, out{1, 1, 1}, kernel{1, 1, 1}, stride{1, 1, 1}, pad{0, 0, 0}, dilation{1, 1, 1};

  auto operator<=>(const ConvGeometry&) const = default;

  std::int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  std::int64_t in_voxels() const { return in[0] * in[1] * in[2]; }
  std::int64_t out_voxels() const { return out[0] * out[1] * out[2]; }
  std::int64_t weights() const { return out_channels * taps() * (in_channels / groups); }
  double flops() const { return 2.0 * double(batch) * double(out_voxels()) * double(weights()); }
  /// Rows that one window spans along an axis.
  std::int64_t reach(int axis) const { return dilation[std::size_t(axis)] * (kernel[std::size_t(axis)] - 1) + 1; }
};

enum class ConvPass { forward, input_gradient, weight_gradient };

/// Which operand's channel sums a weight gradient also delivers: the bias gradient of a convolution is the sum of
/// d_y, that of a transposed convolution the sum of what stands in the place of x.
enum class ConvSums { none, of_y, of_x };

}  // namespace tenon
