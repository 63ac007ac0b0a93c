/// What the CPU's loops of resizing take (private).
#pragma once

#include "ops/resize_kernels.hpp"

namespace tenon {

inline constexpr std::int64_t kResizeBuffer = 4096;  ///< elements of a row, blended over the other axes, that a piece holds

/// Output positions [begin, end) of the last axis, which read the inputs [low, high).
struct ResizePiece {
  std::int64_t begin, end, low, high;
  bool buffered;  ///< the inputs' rows are blended first, then read along the axis
};

}  // namespace tenon
