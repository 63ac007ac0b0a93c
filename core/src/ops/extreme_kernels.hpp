/// The CPU's kernel of the extremes along any axis (private); other devices have extreme_kernel, for which the axis is moved to the end.
#pragma once

#include "ops/axis_split.hpp"
#include "ops/reduce_kernels.hpp"

namespace tenon {

/// Operands: x dense [outer, n, inner]; values [outer, inner] of x's type; positions i64 [outer, inner].
extern KernelSlot<Extreme, const AxisSplit&, DType> extreme_axis_kernel;

}  // namespace tenon
