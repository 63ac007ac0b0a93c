/// Reverse-mode automatic differentiation: a tape of tensor ops.
///
/// A differentiable op computes its result and then calls `differentiable`, giving its inputs and a function
/// from the gradient of the result to the gradients of the inputs. That function is itself written in tensor
/// ops, so it can be differentiated again (`create_graph`). A fused kernel whose gradient cannot be
/// differentiated says so with `first_order_only`, and asking for a second derivative names it.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tenon/tensor.hpp"

namespace tenon {

/// Gradients of an op's inputs (undefined where none is needed) from those of its outputs (never undefined).
using BackwardFn = std::function<std::vector<Tensor>(const std::vector<Tensor>& d_outputs)>;

struct BackwardNode;

struct AutogradMeta {
  bool requires_grad = false;
  Tensor grad;                         ///< leaves only
  std::shared_ptr<BackwardNode> node;  ///< null for leaves
  int output_index = 0;
};

/// True when gradients are on and any of `inputs` requires one: then `differentiable` will keep history.
TENON_API bool wants_grad(std::span<const Tensor> inputs);
inline bool wants_grad(std::initializer_list<Tensor> inputs) { return wants_grad(std::span<const Tensor>(inputs.begin(), inputs.size())); }

/// Ties `outputs` to `inputs`. `name` is the op's public name. No effect unless wants_grad(inputs).
TENON_API void differentiable(const char* name, std::span<Tensor> outputs, std::span<const Tensor> inputs, BackwardFn backward,
                              bool first_order_only = false);
/// The common case of one output.
TENON_API Tensor differentiable(const char* name, Tensor output, std::vector<Tensor> inputs, BackwardFn backward, bool first_order_only = false);

/// Gradients of sum(outputs * d_outputs) with respect to `inputs`; d_outputs default to ones for scalars.
/// With `create_graph` the results are differentiable themselves. Unreached inputs give zeros.
TENON_API std::vector<Tensor> gradients(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                                        std::vector<Tensor> d_outputs = {}, bool create_graph = false);

/// While one is alive on a thread, ops keep no history there.
class TENON_API NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

}  // namespace tenon
