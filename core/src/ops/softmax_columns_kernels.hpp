/// Kernel slots of softmax along an axis that is not the last (private). CPU only: elsewhere the axis is moved to the end.
#pragma once

#include "tenon/kernel.hpp"

namespace tenon {

/// [blocks, classes, stride]
struct SoftmaxColumns {
  DType dtype;
  std::int64_t blocks, classes, stride;
  bool log;  ///< log softmax
};
/// x -> y
extern TENON_API KernelSlot<const SoftmaxColumns&> softmax_columns_kernel;
/// y, d_y -> d_x
extern TENON_API KernelSlot<const SoftmaxColumns&> softmax_columns_gradient_kernel;

}  // namespace tenon
