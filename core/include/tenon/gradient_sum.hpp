/// Gradients summed over several backward passes, for steps whose batch does not fit in memory.
///
///     GradientSum sum(model);
///     StepPlan part = StepPlan::record([&] { (loss_of(inputs) * (1.0 / n)).backward(); sum.add(); });
///     StepPlan update = StepPlan::record([&] { sum.give(); optimiser.step(); });
///     sum.begin();  for (n times) { fill(inputs); part.run(); }  optimiser.begin_step(rate);  update.run();
///
/// Memory: that of one pass and one f32 a parameter. The sum is taken in order of the passes: ((g1 + g2) + g3) + ..., the same bits
/// for any number of threads. It equals the gradient of one large batch up to rounding, where the loss is a mean over samples
/// and no layer mixes the samples of a batch. Not thread-safe.
#pragma once

#include "tenon/nn/module.hpp"

namespace tenon {

class TENON_API GradientSum {
 public:
  explicit GradientSum(const nn::Module& module);
  /// Host side: the next add() starts a new sum.
  void begin();
  /// Takes the gradients of all parameters into the sum. May be part of a recorded step. Throws where one is missing, taking none.
  void add();
  /// Makes the sums the parameters' gradients, without copying: they are good until the next begin().
  void give() const;
  const std::vector<Tensor>& sums() const noexcept { return sums_; }

 private:
  nn::NamedTensors leaves_;
  std::vector<Tensor> sums_;
  Tensor fresh_;  ///< f32 [1]: 1 where the next pass is the first
};

}  // namespace tenon
