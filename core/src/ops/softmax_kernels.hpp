/// Kernel slots of softmax along the last axis (private).
#pragma once

#include "tenon/kernel.hpp"

namespace tenon {

struct SoftmaxRows {
  DType dtype;
  std::int64_t rows, classes;
  bool log;  ///< log softmax
};
/// x -> y
extern TENON_API KernelSlot<const SoftmaxRows&> softmax_kernel;
/// y, d_y -> d_x
extern TENON_API KernelSlot<const SoftmaxRows&> softmax_gradient_kernel;

}  // namespace tenon
