/// Tensor::permute for orders that are computed (private).
#pragma once

#include <array>

#include "tenon/tensor.hpp"

namespace tenon {

using AxisOrder = std::array<int, kMaxRank>;

/// Axis i of the result is axis order[i] of x: the first x.rank() entries, a permutation (unchecked). A view, differentiable.
Tensor permuted(const Tensor& x, const AxisOrder& order);

}  // namespace tenon
