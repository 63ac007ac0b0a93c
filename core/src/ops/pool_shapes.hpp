/// The checks and shape rule of window pooling (private).
#pragma once

#include "ops/pool_kernels.hpp"

namespace tenon {

struct PoolShapes {
  Pooling pooling;
  Shape in, out;
};

/// Windows of `kernel` every `stride` (empty: the kernel) with `padding` (empty: 0) on both sides.
PoolShapes pool_shapes(const char* op, const Tensor& x, const std::vector<std::int64_t>& kernel, const std::vector<std::int64_t>& stride,
                       const std::vector<std::int64_t>& padding);
/// `size` windows an axis that cover it evenly.
PoolShapes adaptive_pool_shapes(const char* op, const Tensor& x, const std::vector<std::int64_t>& size);

}  // namespace tenon
