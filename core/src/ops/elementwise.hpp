/// Kernel columns of the elementwise ops (private).
#pragma once

#include "kernels/elementwise.hpp"
#include "ops/copy.hpp"

namespace tenon {

TENON_API extern KernelSlot<kernels::Binary, const Layout&, const Layout&, const Layout&> binary_kernel;  ///< a, b (broadcast strides), out
TENON_API extern KernelSlot<kernels::Unary, kernels::UnaryArgs, const Layout&, const Layout&> unary_kernel;
TENON_API extern KernelSlot<const Layout&, const Layout&, const Layout&, const Layout&> where_kernel;  ///< condition, a, b, out

/// d * activation'(x) in one pass, without history. `gradient`: relu_gradient and its like.
Tensor run_activation_gradient(const char* op, kernels::Binary gradient, const Tensor& x, const Tensor& d);

}  // namespace tenon
