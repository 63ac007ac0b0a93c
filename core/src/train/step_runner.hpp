/// One optimiser step, recorded once: of one batch, or of several that are summed, with or without a loss scale (private).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tenon/export.hpp"
#include "tenon/gradient_sum.hpp"
#include "tenon/loss_scale.hpp"
#include "tenon/optim.hpp"
#include "tenon/plan.hpp"
#include "tenon/task.hpp"

namespace tenon {

/// Plain: one plan holds forward, backward and update. With `accumulate` > 1 or a loss scale there are two plans, the pass over a
/// batch that adds to a sum of gradients and the update from it, and the host decides between them. Replaying takes no memory.
class TENON_API StepRunner {  // exported for its tests alone
 public:
  using NextBatch = std::function<const std::vector<Tensor>&()>;

  /// `scale`: may be null; not owned, like the others. `seed`: of the numbers that layers draw (dropout).
  StepRunner(Task& task, nn::Module& model, Optimiser& optimiser, std::int64_t accumulate, LossScale* scale, std::uint64_t seed, Device device);

  /// Takes `accumulate` batches; `step` counts from 0 and keys what layers draw. False where the gradients were not finite under a loss scale: nothing was changed then.
  bool run(double learning_rate, std::int64_t step, const NextBatch& next);
  /// Means over the step's batches; the first is the loss that is minimised.
  const std::vector<std::pair<std::string, double>>& losses() const { return values_; }

  std::string explain() const;
  /// "137 launches, arena 54 MiB (activations 50, workspace 4) for 300 MiB of buffers"
  std::string summary() const;
  const StepPlan& pass() const { return pass_; }

 private:
  bool split() const { return sum_.has_value(); }

  Optimiser& optimiser_;
  LossScale* scale_;
  std::int64_t accumulate_;
  std::vector<Tensor> inputs_;
  Tensor random_key_;  ///< {seed, pass}
  std::vector<std::pair<std::string, Tensor>> losses_;
  std::vector<std::pair<std::string, double>> values_;
  std::optional<GradientSum> sum_;
  StepPlan pass_, check_, update_;
};

}  // namespace tenon
