/// Kernel columns of the elementwise ops (private).
#pragma once

#include "kernels/elementwise.hpp"
#include "ops/copy.hpp"

namespace tenon {

TENON_API extern KernelSlot<kernels::Binary, const Layout&, const Layout&, const Layout&> binary_kernel;  ///< a, b (broadcast strides), out
TENON_API extern KernelSlot<kernels::Unary, kernels::UnaryArgs, const Layout&, const Layout&> unary_kernel;
TENON_API extern KernelSlot<const Layout&, const Layout&, const Layout&, const Layout&> where_kernel;  ///< condition, a, b, out

}  // namespace tenon
