/// Kernel slots of the search for true elements (private).
#pragma once

#include "tenon/kernel.hpp"

namespace tenon {

/// Elements are taken in blocks; the kernel of positions is told where each block's begin.
inline constexpr std::int64_t kMaskBlock = 1 << 16;
inline std::int64_t mask_blocks(std::int64_t n) {
  return (n + kMaskBlock - 1) / kMaskBlock;
}

/// mask bool [n] -> i64 [blocks]: true elements of each block.
TENON_API extern KernelSlot<std::int64_t> mask_count_kernel;
/// mask bool of the shape, dense; i64 [blocks]: true elements before each block -> i64 [count, rank] coordinates, or [count] flat
/// positions.
TENON_API extern KernelSlot<const Shape&, bool> mask_positions_kernel;

}  // namespace tenon
