/// Optimisers and learning-rate schedules.
///
/// An optimiser keeps its state in flat buffers over all parameters of a module, and does clipping and update in
/// one launch over all of them. What changes from step to step (the learning rate) is read from a
/// small tensor, so `step()` can be part of a recorded step; `begin_step` writes it, outside the recording.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tenon/nn/module.hpp"
#include "tenon/params.hpp"

namespace tenon {

/// Parameters that learn or decay otherwise than the rest. Of several groups the first that matches counts.
struct ParameterGroup {
  std::string match;            ///< pattern over names, with * and ?: "*.bias"; "vectors" for all of rank 0 and 1 (biases, norms)
  double rate = 1, decay = 1;   ///< factors on learning rate and weight decay
};

class TENON_API Optimiser {
 public:
  virtual ~Optimiser();
  /// Host side, before each step: this step's learning rate; counts steps (bias correction).
  void begin_step(double learning_rate);
  /// Clips the global gradient norm to `clip` where it is > 0, then updates. Consumes the gradients: they are
  /// undefined afterwards. Gradients must have been made by backward() since the last step.
  virtual void step() = 0;
  /// Global norm of the gradients of the last step that ran, before clipping by norm: f32 [1].
  Tensor gradient_norm() const { return norm_; }
  /// State by stable names, for checkpoints (momentum, moments); the last is "steps".
  virtual nn::NamedTensors state() const;
  /// All or nothing; throws optimiser.state naming what does not fit.
  void load(const nn::NamedTensors& state);
  std::int64_t steps() const noexcept { return steps_; }

 protected:
  explicit Optimiser(nn::Module& module);
  nn::NamedTensors leaves_;
  Tensor scalars_, norm_;  ///< f32: [learning rate, step, 0, 0]; [1]
  std::int64_t steps_ = 0;
};

// In all of them: `clip` the largest global norm of the gradient, `clip_value` the largest magnitude of an element before that; 0: none.

struct SgdOptions {
  double momentum = 0, weight_decay = 0, clip = 0;
  bool nesterov = false;
  double clip_value = 0;
  std::vector<ParameterGroup> groups = {};
};
/// PyTorch's SGD: d = g + wd p; v = momentum v + d; p -= lr (nesterov ? d + momentum v : v). Sutskever et al. 2013.
TENON_API std::unique_ptr<Optimiser> make_sgd(nn::Module& module, const SgdOptions& options);

struct AdamOptions {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0, clip = 0, clip_value = 0;
  std::vector<ParameterGroup> groups = {};
};
/// Kingma and Ba 2015; weight decay is added to the gradient.
TENON_API std::unique_ptr<Optimiser> make_adam(nn::Module& module, const AdamOptions& options);

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0.01, clip = 0, clip_value = 0;
  std::vector<ParameterGroup> groups = {};
};
/// Loshchilov and Hutter 2019, as PyTorch's AdamW.
TENON_API std::unique_ptr<Optimiser> make_adamw(nn::Module& module, const AdamWOptions& options);

struct RmsPropOptions {
  double alpha = 0.99, eps = 1e-8, momentum = 0, weight_decay = 0, clip = 0, clip_value = 0;
  bool centred = false;
  std::vector<ParameterGroup> groups = {};
};
/// Tieleman and Hinton 2012; centred: by the variance in place of the second moment (Graves 2013). As PyTorch's RMSprop.
TENON_API std::unique_ptr<Optimiser> make_rmsprop(nn::Module& module, const RmsPropOptions& options);

struct LambOptions {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-6, weight_decay = 0.01, clip = 0, clip_value = 0;
  std::vector<ParameterGroup> groups = {};
};
/// You et al. 2020: AdamW's direction r, scaled for each parameter tensor by |p| / |r| (1 where either is 0).
TENON_API std::unique_ptr<Optimiser> make_lamb(nn::Module& module, const LambOptions& options);

struct AdafactorOptions {
  double beta2_decay = -0.8, eps1 = 1.1920928955078125e-07, eps2 = 1e-3, threshold = 1, weight_decay = 0, clip = 0, clip_value = 0;
  std::vector<ParameterGroup> groups = {};
};
/// Shazeer and Stern 2018, as PyTorch's Adafactor: second moments of matrices (the last two axes) as row and column means.
TENON_API std::unique_ptr<Optimiser> make_adafactor(nn::Module& module, const AdafactorOptions& options);

struct MuonOptions {
  double momentum = 0.95, weight_decay = 0.1, eps = 1e-7;
  bool nesterov = true;
  int iterations = 5;
  double beta1 = 0.9, beta2 = 0.95, adam_eps = 1e-8, adam_rate = 1;  ///< of AdamW for vectors; its rate as a factor of the learning rate
  double clip = 0, clip_value = 0;
  std::vector<ParameterGroup> groups = {};
};
/// Jordan et al. 2024: momentum of each matrix [out, rest], made orthogonal by Newton and Schulz's iteration in f32, times
/// sqrt(max(1, out / rest)). Vectors go by AdamW.
TENON_API std::unique_ptr<Optimiser> make_muon(nn::Module& module, const MuonOptions& options);

/// From a recipe's [optimizer] section.
TENON_API const ParamSpec& optimiser_params();
TENON_API std::unique_ptr<Optimiser> make_optimiser(nn::Module& module, const ParamValues& values);

/// Learning rate over progress p in [0, 1], the share of the run that is done; linear warm-up first, the shape over the rest q:
///
///     constant                                  poly        (1 - q)^power
///     cosine      half a wave from 1 to 0       one_cycle   up from 1/25 over 0.3, down to 0 over the rest, by half waves (Smith 2018)
///     step        factor at each `every`        multi_step  factor at each of `milestones`
///     plateau     factor whenever `patience` scores in a row were no better than the best
///     chained     `parts` after each other, each over its own part of the run
///
/// then floor + (1 - floor) times that (step, multi_step and plateau: no lower than the floor).
struct TENON_API Schedule {
  std::string name = "poly";
  double base = 0.01, power = 0.9, warmup = 0, floor = 0;  ///< warmup: share of the run; floor: share of base
  double every = 1.0 / 3, factor = 0.1;
  std::vector<double> milestones = {0.5, 0.75};
  std::int64_t patience = 5;
  /// Of "chained": each ends at a share of the run; the last at 1.
  struct Part {
    double end;
    std::shared_ptr<const Schedule> schedule;
  };
  std::vector<Part> parts = {};

  double at(double progress) const;

  /// Plateau: a score that was just measured, higher is better. Its state belongs into a checkpoint.
  struct Plateau {
    double reduction = 1, best = -1e300;
    std::int64_t waited = 0;
  };
  void observe(double score);
  Plateau plateau = {};
};
TENON_API const ParamSpec& schedule_params();
TENON_API Schedule make_schedule(const ParamValues& values);

}  // namespace tenon
