/// Many small matrix products whose batch is the innermost axis (private).
#pragma once

#include "tenon/kernel.hpp"

namespace tenon {

/// c [rows, columns, batch] = sum over depth of a [rows, depth, batch] b [depth, columns, batch]; f32 or f64. Strides in elements; the
/// batch is dense.
struct BatchProduct {
  DType dtype;
  std::int64_t rows, columns, depth, batch;
  std::int64_t a_row, a_depth, b_depth, b_column;
};
/// a, b -> c, dense
TENON_API extern KernelSlot<const BatchProduct&> batch_product_kernel;

}  // namespace tenon
