/// Kernel slots of the losses that are a function of each element alone (private). CPU only: elsewhere they are composed of ops.
#pragma once

#include "tenon/kernel.hpp"

namespace tenon {

enum class PointwiseLossKind { l1, l2, huber, bce, poisson, kl, gaussian, crps };

struct PointwiseLoss {
  DType dtype;  ///< f32 or f64, of all operands
  PointwiseLossKind kind;
  std::int64_t count;
  double a = 0, b = 0;  ///< see kernels/pointwise_loss.hpp
  bool each = false;    ///< one value an element; else their sum times `factor`
  double factor = 1;
  unsigned wanted = 0;  ///< bit k: the gradient of operand k
  static constexpr std::int64_t kChunk = 16384;
  std::int64_t chunks() const { return (count + kChunk - 1) / kChunk; }
};
/// operands -> y where `each`; else -> partial f64 [chunks], loss
extern TENON_API KernelSlot<const PointwiseLoss&> pointwise_loss_kernel;
/// operands, d_loss (one an element, or a scalar) -> the gradients that are wanted, in order
extern TENON_API KernelSlot<const PointwiseLoss&> pointwise_loss_gradient_kernel;

}  // namespace tenon
