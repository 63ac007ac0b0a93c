/// Kernel slots of the losses (private). Partial sums are f64, one set a fixed chunk of rows; the scalar result and its
/// gradient are in the accumulation type.
#pragma once

#include <algorithm>

#include "tenon/kernel.hpp"

namespace tenon {

/// Rows [samples, voxels] of `classes` logits with a label each. Cross entropy alone is one sample.
struct LabelLoss {
  DType dtype, labels;
  std::int64_t samples, voxels, classes;
  double smooth = 0;
  bool dice = false;
  std::int64_t chunk() const { return std::clamp<std::int64_t>(16384 / classes / 64 * 64, 64, 4096); }
  std::int64_t chunks() const { return (voxels + chunk() - 1) / chunk(); }
  std::int64_t sums() const { return dice ? 1 + 3 * classes : 1; }  ///< cross entropy; then I, P, T a class
};
/// logits, labels -> partial f64 [samples, chunks, sums], totals f64 [samples, 3 classes] (Dice only: else [1]), loss.
/// A label outside [0, classes) is a data error that names it.
extern TENON_API KernelSlot<const LabelLoss&> label_loss_kernel;
/// logits, labels, totals, d_loss -> d_logits
extern TENON_API KernelSlot<const LabelLoss&> label_loss_gradient_kernel;

struct SquaredError {
  DType dtype;
  std::int64_t count;
  static constexpr std::int64_t kChunk = 16384;
  std::int64_t chunks() const { return (count + kChunk - 1) / kChunk; }
};
/// x, target -> partial f64 [chunks], loss
extern TENON_API KernelSlot<const SquaredError&> mse_kernel;
/// x, target, d_loss -> d_x
extern TENON_API KernelSlot<const SquaredError&> mse_gradient_kernel;

}  // namespace tenon
