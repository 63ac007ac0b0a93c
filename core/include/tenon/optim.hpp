/// Optimisers and learning-rate schedules.
///
/// An optimiser keeps its state in flat buffers over all parameters of a module, and does clipping and update in
/// one launch over all of them. What changes from step to step (the learning rate) is read from a
/// small tensor, so `step()` can be part of a recorded step; `begin_step` writes it, outside the recording.
#pragma once

#include <memory>
#include <string>

#include "tenon/nn/module.hpp"
#include "tenon/params.hpp"

namespace tenon {

class TENON_API Optimiser {
 public:
  virtual ~Optimiser();
  /// Host side, before each step: this step's learning rate; counts steps (bias correction).
  void begin_step(double learning_rate);
  /// Clips the global gradient norm to `clip` where it is > 0, then updates. Consumes the gradients: they are
  /// undefined afterwards. Gradients must have been made by backward() since the last step.
  virtual void step() = 0;
  /// Global norm of the gradients of the last step that ran, before clipping: f32 [1].
  Tensor gradient_norm() const { return norm_; }
  /// State by stable names, for checkpoints (momentum, moments, step count).
  virtual nn::NamedTensors state() const;
  virtual void load(const nn::NamedTensors& state);
  std::int64_t steps() const noexcept { return steps_; }

 protected:
  Optimiser(nn::Module& module, double clip, std::vector<std::string> slots);
  struct Slot { std::string name; std::int64_t begin, count; };
  nn::NamedTensors leaves_;
  std::vector<Slot> layout_;
  std::vector<Tensor> slots_;  ///< flat state buffers, one a slot name
  std::vector<std::string> slot_names_;
  Tensor scalars_, norm_;
  double clip_;
  std::int64_t steps_ = 0;
};

struct SgdOptions { double momentum = 0, weight_decay = 0, clip = 0; bool nesterov = false; };
/// PyTorch's SGD: d = g + wd p; v = momentum v + d; p -= lr (nesterov ? d + momentum v : v). Sutskever et al. 2013.
TENON_API std::unique_ptr<Optimiser> make_sgd(nn::Module& module, const SgdOptions& options);

struct AdamWOptions { double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0.01, clip = 0; };
/// Loshchilov and Hutter 2019, as PyTorch's AdamW.
TENON_API std::unique_ptr<Optimiser> make_adamw(nn::Module& module, const AdamWOptions& options);

/// From a recipe's [optimizer] section: name = "sgd" or "adamw" and the options above.
TENON_API const ParamSpec& optimiser_params();
TENON_API std::unique_ptr<Optimiser> make_optimiser(nn::Module& module, const ParamValues& values);

/// Learning rate over progress p in [0, 1]: "constant", "poly" (1 - p)^power, "cosine", "one_cycle"; linear warm-up first.
struct TENON_API Schedule {
  std::string name = "poly";
  double base = 0.01, power = 0.9, warmup = 0, floor = 0;  ///< warmup: share of the run; floor: share of base
  double at(double progress) const;
};
TENON_API const ParamSpec& schedule_params();
TENON_API Schedule make_schedule(const ParamValues& values);

}  // namespace tenon
