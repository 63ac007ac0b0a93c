/// What the optimisers that keep flat state share (private).
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tenon/kernel.hpp"
#include "tenon/optim.hpp"

namespace tenon {

inline constexpr std::int64_t kOptimiserRun = 16384;  ///< elements of a run

/// A cut of a leaf, elements [begin, end); its state starts at `base` of the flat buffers. Cuts do not depend on threads,
/// and so neither does the order of a sum over them.
struct OptimiserRun {
  std::size_t leaf;
  std::int64_t begin, end, base;
  std::int64_t count() const { return end - begin; }
};

/// How a leaf's gradient becomes its step.
struct LeafFactors {
  float rate = 1, decay = 1;
};

/// Gradients are clamped to [-limit, limit], then scaled by `factor`.
struct Clipping {
  float limit = std::numeric_limits<float>::infinity(), norm = 0;  ///< norm 0: no clipping by norm
  float factor(float gradient_norm) const { return norm > 0 && gradient_norm > norm ? norm / gradient_norm : 1.0f; }
  float operator()(float g) const { return g < -limit ? -limit : g > limit ? limit : g; }  ///< a NaN stays one
};

/// 1 - beta^t of both moments at step t. Before the first begin_step the learning rate is 0, and 1 does no harm.
struct BiasCorrection {
  float c1 = 1, c2 = 1;
  BiasCorrection(float beta1, float beta2, float step) {
    if (step < 1) return;
    c1 = float(1 - std::pow(double(beta1), double(step)));
    c2 = float(1 - std::pow(double(beta2), double(step)));
  }
};

class FlatOptimiser : public Optimiser {
 public:
  nn::NamedTensors state() const override;

 protected:
  FlatOptimiser(nn::Module& module, double clip, double clip_value, const std::vector<ParameterGroup>& groups, std::vector<std::string> slots);

  /// Takes the gradients of all leaves, dense f32, in order; launches their norm. Throws where one is missing, taking none.
  std::vector<Tensor> take_gradients();
  /// The operands of an update: gradients, scalars, norm | leaves, slots. Operand 0 is the first gradient.
  std::vector<Tensor> reads(const std::vector<Tensor>& gradients) const;
  std::vector<Tensor> writes() const;

  struct Place {
    std::int64_t begin, count;
  };
  std::vector<Place> places_;    ///< of each leaf in the flat buffers
  std::vector<Tensor> slots_;    ///< flat f32 state, one a name
  std::vector<std::string> slot_names_;
  std::vector<OptimiserRun> runs_;
  std::vector<LeafFactors> factors_;  ///< a leaf
  Clipping clipping_;
};

/// Where an update finds things: pointers of a launch that read and wrote as FlatOptimiser says.
struct UpdateOperands {
  void* const* p;
  std::size_t leaves;
  const float* gradient(std::size_t leaf) const { return static_cast<const float*>(p[leaf]); }
  float learning_rate() const { return static_cast<const float*>(p[leaves])[0]; }
  float step() const { return static_cast<const float*>(p[leaves])[1]; }
  float norm() const { return *static_cast<const float*>(p[leaves + 1]); }
  float* weight(std::size_t leaf) const { return static_cast<float*>(p[leaves + 2 + leaf]); }
  float* slot(std::size_t k) const { return static_cast<float*>(p[2 * leaves + 2 + k]); }
  void* extra(std::size_t slots, std::size_t k) const { return p[2 * leaves + 2 + slots + k]; }
};

}  // namespace tenon
