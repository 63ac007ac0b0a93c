/// What the CPU's loops of pooling take (private).
#pragma once

#include "ops/pool_kernels.hpp"

namespace tenon {

/// Positions of the result, or of its gradient, that one call makes.
struct PoolRow {
  std::int64_t z, y, begin, end;  ///< x in [begin, end)
};

/// Windows [first, last] that hold a position of an axis.
struct PoolHolders {
  std::int32_t first, last;
};

}  // namespace tenon
