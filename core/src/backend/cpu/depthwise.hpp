/// Loops of depthwise convolutions (private): every channel by itself, so that what is long is the channels' axis and each tap is one
/// vector of weights. What an AVX-512 core does a cycle is bound by its two loads, one a multiplication.
#pragma once

#include <array>
#include <cstdint>

namespace tenon::cpu {

/// Axes go to the right: the last one is the one along which outputs are computed side by side.
struct DepthwiseShape {
  std::array<std::int64_t, 3> in, out, kernel, stride, pad, dilation;
  std::int64_t channels = 0;
  std::int64_t segments = 1;  ///< of an output row, kSegment places each

  static constexpr std::int64_t kSegment = 512;
  static constexpr std::int64_t kMostTapRows = 64;
  std::int64_t tap_rows() const { return kernel[0] * kernel[1]; }
  std::int64_t taps() const { return tap_rows() * kernel[2]; }
};

struct DepthwiseLoops {
  /// Segments [begin, end) of y's rows, numbered [batch][out 0][out 1][segment]; w [taps][channels], `bias` may be null.
  void (*run)(const DepthwiseShape& s, const float* x, const float* w, const float* bias, float* y, std::int64_t begin, std::int64_t end);
  /// What those segments add to the weights' gradient, sums [taps][channels], and, if not null, to y's channel sums.
  void (*weights)(const DepthwiseShape& s, const float* x, const float* y, double* sums, double* y_sums, std::int64_t begin, std::int64_t end);
};
const DepthwiseLoops& depthwise_loops();

}  // namespace tenon::cpu
