/// Exponential average of a module's weights, to be evaluated instead of the weights themselves (Polyak averaging).
///
///     WeightAverage average(model, WeightAverage::share(0.1));
///     for (step = 1; ...; ++step) { ...; average.update(step); }
///     { WeightAverage::Scope averaged(&average);  score = evaluate(model); }
///
/// Two passes over the parameters a step; no effect on training itself. Buffers (running statistics) are not averaged. Not thread-safe.
#pragma once

#include "tenon/kernel.hpp"
#include "tenon/nn/module.hpp"

namespace tenon {

class TENON_API WeightAverage {
 public:
  /// How much of the average is kept at step t.
  struct Rule {
    double share = 0, decay = 0;
    double keep(std::int64_t step) const;
  };
  /// 1 - 1 / (share t): an average over about the last such share of the run, so that early weights are forgotten.
  static Rule share(double share) { return {share, 0}; }
  /// min(decay, (1 + t) / (10 + t)): constant, but for the first steps, as TensorFlow's and timm's averages.
  static Rule decay(double decay) { return {0, decay}; }

  /// Begins with the module's weights. Throws a usage error unless share or decay lies in (0, 1].
  WeightAverage(const nn::Module& model, Rule rule);

  void update(std::int64_t step);  ///< after step `step`, counted from 1
  /// Averages by the parameters' names, then the module's buffers: what Module::load takes.
  nn::NamedTensors weights() const;
  /// From what weights() gave; throws a usage error that names what is missing or of another shape, and changes nothing then.
  void load(const nn::NamedTensors& saved);

  /// Swaps average and weights while alive; a null pointer does nothing.
  class TENON_API Scope {
   public:
    explicit Scope(WeightAverage* average);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    WeightAverage* average_;
  };

 private:
  void swap();
  Rule rule_;
  std::vector<Tensor> source_, kept_;  ///< kept_: the averages
  nn::NamedTensors average_, buffers_;
  Tensor keep_;  ///< f32 [1], where the weights are
  Kernel blend_, exchange_;
};

}  // namespace tenon
