/// Which input positions an output position of a resized axis reads, with what weights; shared by every executor.
///
/// Voxel centres are mapped: src = (dst + 0.5) in / out - 0.5, clamped to the axis. Nearest takes floor(src + 0.5).
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/types.hpp"

namespace tenon {

struct ResizeTaps {
  std::int64_t low, high;
  double high_weight;
};
TENON_HD inline ResizeTaps resize_taps(std::int64_t dst, std::int64_t in, std::int64_t out, bool linear) {
  double centre = (double(dst) + 0.5) * double(in) / double(out);
  if (!linear) {
    std::int64_t at = std::int64_t(centre);
    at = at < in - 1 ? at : in - 1;
    return {at, at, 0};
  }
  double src = centre - 0.5;
  src = src > 0 ? src : 0;
  std::int64_t low = std::int64_t(src);
  low = low < in - 1 ? low : in - 1;
  std::int64_t high = low < in - 1 ? low + 1 : low;
  return {low, high, high == low ? 0.0 : src - double(low)};
}

}  // namespace tenon
