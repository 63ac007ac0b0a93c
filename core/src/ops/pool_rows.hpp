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

/// Whether no two windows of an axis share an input.
inline bool apart(const PoolAxis& a) {
  return a.kernel > 0 && a.kernel <= a.stride;
}
/// Of windows apart: window o owns its inputs and those up to the next window's, [owned_by(o), owned_by(o + 1)), the first those before it.
inline std::int64_t owned_by(const PoolAxis& a, std::int64_t o) {
  return o == 0 ? 0 : o == a.out ? a.in : a.begin(o);
}

}  // namespace tenon
