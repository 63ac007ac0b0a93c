/// Kernel slots of pooling (private).
#pragma once

#include <array>

#include "kernels/pool.hpp"
#include "tenon/kernel.hpp"

namespace tenon {

struct Pooling {
  DType dtype;
  std::int64_t samples, channels;
  std::array<PoolAxis, 3> axes;
  std::int64_t in_voxels() const { return axes[0].in * axes[1].in * axes[2].in; }
  std::int64_t out_voxels() const { return axes[0].out * axes[1].out * axes[2].out; }
  std::int64_t window() const { return axes[0].kernel * axes[1].kernel * axes[2].kernel; }
};
/// x -> y, index i32 (voxel of the maximum within its sample)
extern TENON_API KernelSlot<const Pooling&> max_pool_kernel;
/// like y, index -> like x: each window's value at its maximum, zero elsewhere
extern TENON_API KernelSlot<const Pooling&> max_pool_put_kernel;
/// like x, index -> like y: the value at each window's maximum (the transpose of put)
extern TENON_API KernelSlot<const Pooling&> max_pool_take_kernel;
/// x -> y: sums over windows divided by the kernel's size (padding counts as zeros)
extern TENON_API KernelSlot<const Pooling&> avg_pool_kernel;
/// like y -> like x, the transpose
extern TENON_API KernelSlot<const Pooling&> avg_pool_put_kernel;

}  // namespace tenon
