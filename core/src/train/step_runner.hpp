/// One optimiser step, recorded once for each set of shapes: of one batch, or of several that are summed, with or without a loss scale (private).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.hpp"
#include "tenon/export.hpp"
#include "tenon/gradient_sum.hpp"
#include "tenon/loss_scale.hpp"
#include "tenon/optim.hpp"
#include "tenon/plan.hpp"
#include "tenon/plan_cache.hpp"
#include "tenon/task.hpp"

namespace tenon {

/// Plain: one plan holds forward, backward and update. With `accumulate` > 1 or a loss scale there are two kinds of plans, the pass over a
/// batch that adds to a sum of gradients and the update from it, and the host decides between them. Replaying takes no memory.
///
/// The plan of a pass belongs to the shapes of its batch. The first is that of batch_spec; others are recorded when they come, and the last
/// few used are kept. Weights, optimiser, sums of gradients and random key are those of all plans.
///
/// On a GPU the next batch is taken, if it is there, and sent to the device while the device works on the one before; and the next step may be
/// started before the losses of the one before are read.
class TENON_API StepRunner {  // exported for its tests alone
 public:
  /// Where batches come from, in order. The tensors of one are the runner's until the next is given.
  struct Batches {
    std::function<const std::vector<Tensor>&()> next;         ///< waits for it
    std::function<const std::vector<Tensor>*()> ready = {};  ///< null where it is not there, or its filling threw: next() tells then. Empty: nothing is taken ahead
  };

  /// `scale`: may be null; not owned, like the others. `seed`: of the numbers that layers draw (dropout).
  StepRunner(Task& task, nn::Module& model, Optimiser& optimiser, std::int64_t accumulate, LossScale* scale, std::uint64_t seed, Device device);

  /// start() and finish(): a step, and what it gave. False where the gradients were not finite under a loss scale: nothing was changed then.
  bool run(double learning_rate, std::int64_t step, const Batches& batches, bool more = true) {
    start(learning_rate, step, batches, more);
    return finish();
  }
  /// Takes `accumulate` batches and begins a step with them; on the CPU, and where the host decides about the update, all of it. `step` counts from 0
  /// and keys what layers draw. `more`: another step is expected, and its first batch may be taken ahead. All calls have the same `batches`.
  void start(double learning_rate, std::int64_t step, const Batches& batches, bool more = true);
  /// Whether the step after one that was started may be started before that one is finished, so that a device need not wait for the host to read
  /// losses: there is such a device, which decides nothing by them, and a batch of the last one's shapes is there. In between nothing may use the
  /// weights but what is enqueued between the two.
  bool may_start_next(const Batches& batches);
  /// Steps that were started and not finished.
  int started() const { return started_; }
  /// Waits for the first of them; false as above.
  bool finish();

  /// Means over the batches of the step finished last; the first is the loss that is minimised.
  const std::vector<std::pair<std::string, double>>& losses() const { return values_; }
  /// Of the gradients of that step; NaN where they were not finite.
  double gradient_norm() const;

  /// A tensor of a batch, in memory that suits the way to the device.
  Tensor host_tensor(const TensorSpec& spec) const;

  /// What a log should hold of the steps since the last call: plans that were recorded, and why a device does not start them as one.
  std::vector<std::string> news();

  std::string explain() const;
  /// "137 launches, arena 54 MiB (activations 50, workspace 4) for 300 MiB of buffers", of the plan used last
  std::string summary() const;
  const StepPlan& pass() const { return pass_->plan; }
  const PlanCache& passes() const { return passes_; }

 private:
  bool split() const { return sum_.has_value(); }
  std::vector<Tensor> record_pass(const std::vector<Tensor>& inputs);
  void use_pass(PlanCache::Key key);
  void require_fit(const std::vector<Tensor>& batch) const;
  bool fits(const std::vector<Tensor>& batch) const noexcept;
  void fill_inputs(const Batches& from);
  void take_ahead(const Batches& from);
  bool has_shapes(const std::vector<Tensor>& batch) const noexcept;
  void fetch(const std::vector<Tensor>& scalars);
  void collect(std::size_t count);
  void note(const StepPlan& plan);

  Task& task_;
  nn::Module& model_;
  Optimiser& optimiser_;
  LossScale* scale_;
  std::int64_t accumulate_;
  Device device_;
  std::vector<TensorSpec> spec_;
  Tensor random_key_;  ///< {seed, pass}
  std::vector<std::pair<std::string, double>> values_;
  std::optional<GradientSum> sum_;
  PlanCache passes_;  ///< by the batch's shapes; what they give are the losses
  PlanCache::Entry* pass_ = nullptr;
  StepPlan check_, update_;
  std::unique_ptr<BatchFeed> feed_;  ///< null on the CPU
  const std::vector<Tensor>* ahead_ = nullptr;  ///< taken, and sent if it fits
  int started_ = 0;
  bool good_ = true;                            ///< of the step started last: under a loss scale there is no other
  std::vector<double> collected_, part_;        ///< what the feed brought back
  double norm_ = 0;
  std::vector<std::string> news_, replay_notes_;
};

}  // namespace tenon
