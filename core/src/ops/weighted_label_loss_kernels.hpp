/// Kernel slots of cross entropy with class weights, smoothed labels and labels that do not count (private). CPU only: elsewhere it is
/// composed of ops.
#pragma once

#include "tenon/kernel.hpp"

namespace tenon {

struct WeightedLabelLoss {
  DType dtype;  ///< f32 or f64
  std::int64_t rows, classes;
  double smoothing;
  bool weighted;
};
/// logits [rows, classes], labels i64 (-1: does not count), [weights] -> loss and weight of each row
extern TENON_API KernelSlot<const WeightedLabelLoss&> weighted_label_loss_kernel;
/// logits, labels, [weights], d_loss of each row -> d_logits
extern TENON_API KernelSlot<const WeightedLabelLoss&> weighted_label_loss_gradient_kernel;

}  // namespace tenon
