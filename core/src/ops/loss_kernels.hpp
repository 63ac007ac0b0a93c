/// Kernel slots of the losses (private). Partial sums are f64, one set a fixed chunk of rows; the scalar result and its
/// gradient are in the accumulation type.
#pragma once

#include <algorithm>
#include <optional>

#include "tenon/kernel.hpp"

namespace tenon {

/// Rows [samples, voxels] of `classes` logits with a label each. Cross entropy alone is one sample.
struct LabelLoss {
  DType dtype, labels;
  std::int64_t samples, voxels, classes;
  double smooth = 0;
  bool dice = false;
  const char* op() const { return dice ? "dice_cross_entropy" : "cross_entropy"; }
  static constexpr std::int64_t kTiledClasses = 256;  ///< beyond, a row is work enough for a sum of its own
  std::int64_t chunk() const { return classes > kTiledClasses ? 1 : std::clamp<std::int64_t>(4096 / classes / 64 * 64, 64, 1024); }
  std::int64_t chunks() const { return (voxels + chunk() - 1) / chunk(); }
  std::int64_t sums() const { return dice ? 1 + 3 * classes : 1; }  ///< cross entropy; then I, P, T a class
};
/// Throws loss.label_range: `value` at flat position `at` is not one of the classes.
[[noreturn]] TENON_API void refuse_label(const char* op, std::int64_t value, std::int64_t at, std::int64_t classes);

/// logits, labels -> partial f64 [samples, chunks, sums], totals f64 [samples, 3 classes] (Dice only: else [1]), loss.
/// A label outside [0, classes) is a data error that names it.
extern TENON_API KernelSlot<const LabelLoss&> label_loss_kernel;
/// logits, labels, totals, d_loss -> d_logits
extern TENON_API KernelSlot<const LabelLoss&> label_loss_gradient_kernel;

/// Labels of a loss that is composed of ops.
struct LabelCheck {
  const char* op;  ///< the public name, for messages
  DType labels;
  std::int64_t count, classes;
  std::optional<std::int64_t> ignored = {};
};
/// labels -> the same as i64, -1 where they are `ignored`. Others outside [0, classes) are a data error that names them.
extern TENON_API KernelSlot<const LabelCheck&> checked_labels_kernel;

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
