/// Batch and group normalisation with the activation in the same pass (ops.hpp has them without): act(v) = v > 0 ? v : slope v, so slope 0
/// is ReLU and 1 none. The backward pass keeps x and the statistics, not the activation's argument.
///
/// Shapes, types and errors as in ops.hpp. First-order gradients are fused; second ones are composed of plain ops when a graph is asked
/// for.
#pragma once

#include "tenon/tensor.hpp"

namespace tenon {

TENON_API Tensor group_norm(const Tensor& x, std::int64_t groups, const Tensor& scale, const Tensor& shift, double eps, double slope);
TENON_API Tensor batch_norm(const Tensor& x, const Tensor& scale, const Tensor& shift, const Tensor& running_mean,
                            const Tensor& running_var, bool training, double momentum, double eps, double slope);

}  // namespace tenon
