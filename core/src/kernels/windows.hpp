/// Where the voxels of a window lie in its array, and the arithmetic of sums and of classes at another size; shared by every executor.
///
/// Roundings are spelled out (fma or a product alone), so that compilers cannot differ in them.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/types.hpp"

namespace tenon {

/// Three spatial axes; missing ones have size 1 in front.
struct WindowGeometry {
  std::int64_t size[3] = {1, 1, 1}, window[3] = {1, 1, 1}, corner[3] = {0, 0, 0};
  bool flipped[3] = {false, false, false};
  std::int64_t channels = 1;

  /// Place `m` along an axis of the window as it lies in memory, turned back.
  TENON_HD std::int64_t turned(int axis, std::int64_t m) const { return flipped[axis] ? window[axis] - 1 - m : m; }
  /// The voxel of the window, turned back, at (z, y, x) of it as it lies in memory: where its weight is.
  TENON_HD std::int64_t weight(std::int64_t z, std::int64_t y, std::int64_t x) const {
    return (turned(0, z) * window[1] + turned(1, y)) * window[2] + turned(2, x);
  }
  /// The voxel of the array there, or -1 where it lies beyond.
  TENON_HD std::int64_t voxel(std::int64_t z, std::int64_t y, std::int64_t x) const {
    const std::int64_t az = corner[0] + turned(0, z), ay = corner[1] + turned(1, y), ax = corner[2] + turned(2, x);
    const bool inside = az >= 0 && az < size[0] && ay >= 0 && ay < size[1] && ax >= 0 && ax < size[2];
    return inside ? (az * size[1] + ay) * size[2] + ax : -1;
  }
  TENON_HD std::int64_t array_voxels() const { return size[0] * size[1] * size[2]; }
  TENON_HD std::int64_t window_voxels() const { return window[0] * window[1] * window[2]; }
};

TENON_MATHS float add_weighted(float sum, float weight, float score) {
  return fmaf(weight, score, sum);
}

/// One or two places of an axis and their weights.
struct BlendTaps {
  std::int32_t first = 0, count = 1;
  float weight[2] = {1, 0};
};
/// The value between `a` and `b`, where there are two taps.
TENON_MATHS float blend(const BlendTaps& t, float a, float b) {
  const float low = t.weight[0] * a;
  return t.count == 2 ? fmaf(t.weight[1], b, low) : low;
}

}  // namespace tenon
