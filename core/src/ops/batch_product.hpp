/// Many small matrix products whose batch is the innermost axis (private).
#pragma once

#include "tenon/tensor.hpp"

namespace tenon {

/// a [m, k, batch] x b [k, n, batch] -> [m, n, batch]; f32 or f64, both alike. Views are taken as they are when the batch is dense.
/// Differentiable.
Tensor batch_product(const Tensor& a, const Tensor& b);

}  // namespace tenon
