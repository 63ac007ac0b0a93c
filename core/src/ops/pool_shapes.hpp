/// The checks and shape rule of window pooling (private).
#pragma once

#include "ops/pool_kernels.hpp"

namespace tenon {

/// x -> y alone, on a CPU: where no gradient asks for the places of the maxima.
extern TENON_API KernelSlot<const Pooling&> max_pool_values_kernel;

struct PoolShapes {
  Pooling pooling;
  Shape in, out;
};

/// Windows of `kernel` every `stride` (empty: the kernel) with `padding` (empty: 0) on both sides.
PoolShapes pool_shapes(const char* op, const Tensor& x, const std::vector<std::int64_t>& kernel, const std::vector<std::int64_t>& stride,
                       const std::vector<std::int64_t>& padding);
/// `size` windows an axis that cover it evenly.
PoolShapes adaptive_pool_shapes(const char* op, const Tensor& x, const std::vector<std::int64_t>& size);

/// Maxima of windows without history, on a CPU.
Tensor max_pool_values(const char* op, const Tensor& x, const PoolShapes& s);

}  // namespace tenon
