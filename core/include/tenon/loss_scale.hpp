/// Dynamic loss scaling for f16 (Micikevicius et al. 2018), by the rule of PyTorch's GradScaler.
///
/// f16 ends at 65504 and loses everything below 6e-8, so small gradients vanish. The loss is multiplied by a scale, and the gradients,
/// in f32, are divided by it before they are used. A step whose gradients are not all finite is left out, with nothing changed, and
/// the scale is multiplied by `backoff`; after `interval` good steps in a row it is multiplied by `growth`.
///
///     StepPlan pass = StepPlan::record([&] { scale.scaled(loss_of(inputs)).backward(); sum.add(); });
///     StepPlan check = StepPlan::record([&] { scale.unscale(sum.sums()); });
///     ...  pass.run(); check.run();  if (scale.finite()) { optimiser.begin_step(rate); update.run(); }  scale.update();
///
/// The scale lives in a tensor, so a replayed step sees its changes. Deterministic: all powers of two by default, and no value depends on
/// threads. Not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "tenon/tensor.hpp"

namespace tenon {

struct LossScaleOptions {
  double initial = 65536, growth = 2, backoff = 0.5;
  std::int64_t interval = 2000;  ///< good steps in a row before it grows
};

class TENON_API LossScale {
 public:
  /// Throws a usage error unless initial > 0, growth > 1, 0 < backoff < 1 and interval >= 1.
  explicit LossScale(const LossScaleOptions& options = {});

  /// loss times the scale (f32, one element). May be part of a recorded step.
  Tensor scaled(const Tensor& loss) const;
  /// Divides dense f32 gradients by the scale, in place, and notes whether all are finite. May be part of a recorded step.
  void unscale(const std::vector<Tensor>& gradients) const;
  /// Of the last unscale() that ran.
  bool finite() const;
  /// Host side, once after each step: the rule above.
  void update();

  double value() const noexcept { return state_.scale; }
  /// Belongs into a checkpoint.
  struct State {
    double scale = 0;
    std::int64_t good = 0;  ///< good steps since the scale last changed
  };
  State state() const noexcept { return state_; }
  void load(const State& state);

 private:
  LossScaleOptions options_;
  State state_;
  Tensor scale_, finite_;  ///< f32 [1]; f32 [1]: 1 or 0
};

}  // namespace tenon
