/// What the optimisers that keep flat state share (private).
#pragma once

#include <string>
#include <vector>

#include "optim/flat_leaves.hpp"
#include "tenon/kernel.hpp"
#include "tenon/optim.hpp"

namespace tenon {

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

  /// Leaf i's part of a flat buffer.
  Tensor part(const Tensor& flat, std::size_t i) const { return flat.narrow(0, flat_.bases[i], flat_.sizes[i]); }

  FlatLeaves flat_;
  std::vector<Tensor> slots_;  ///< flat f32 state, one a name
  std::vector<std::string> slot_names_;
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
