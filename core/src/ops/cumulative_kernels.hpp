/// Kernel slots of the cumulative ops (private).
#pragma once

#include "ops/axis_split.hpp"
#include "tenon/kernel.hpp"

namespace tenon {

enum class Running { sum, product, log_sum_exp, maximum, minimum };

/// Along the middle axis of a dense [outer, n, inner], in f32, f64 or i64.
struct RunningShape {
  AxisSplit at;
  DType dtype;
  bool reverse;
};
/// sum, product, log_sum_exp: x -> y. maximum, minimum: x -> y, i64 positions along the axis.
TENON_API extern KernelSlot<Running, const RunningShape&> running_kernel;
/// a, b -> h; f32 or f64.
TENON_API extern KernelSlot<const RunningShape&> recurrence_kernel;

}  // namespace tenon
