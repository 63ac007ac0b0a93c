/// Pooling beyond plain windows (ops.hpp has max_pool and avg_pool): to a given size, over all voxels, averages that leave padding out.
///
/// x is [N, spatial..., C] with 1 to 3 spatial axes, of any floating type; results keep it. Differentiable any number of times. Stateless.
/// Averages are separable and go an axis at a time, so their cost does not grow with the window's volume.
#pragma once

#include <cstdint>
#include <vector>

#include "tenon/tensor.hpp"

namespace tenon {

/// Mean or maximum over `size` windows an axis that cover it evenly: window o is [floor(o in / out), ceil((o + 1) in / out)), PyTorch's
/// adaptive pooling. Sizes may exceed the input's.
TENON_API Tensor adaptive_avg_pool(const Tensor& x, const std::vector<std::int64_t>& size);
TENON_API Tensor adaptive_max_pool(const Tensor& x, const std::vector<std::int64_t>& size);

/// Over all spatial axes: [N, spatial..., C] -> [N, C].
TENON_API Tensor global_avg_pool(const Tensor& x);
TENON_API Tensor global_max_pool(const Tensor& x);

/// avg_pool with the choice of what it divides by: the whole kernel (`count_padding`, as ops.hpp's), or the voxels that lie inside.
/// Empty `stride`: the kernel; empty `padding`: 0.
TENON_API Tensor avg_pool(const Tensor& x, const std::vector<std::int64_t>& kernel, const std::vector<std::int64_t>& stride,
                          const std::vector<std::int64_t>& padding, bool count_padding);

}  // namespace tenon
