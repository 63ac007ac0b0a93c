/// Reverse-mode automatic differentiation: a tape of tensor ops.
///
/// A differentiable op computes its result and then calls `differentiable`, giving its inputs and a function
/// from the gradient of the result to the gradients of the inputs. That function is itself written in tensor
/// ops, so it can be differentiated again (`create_graph`); where it is a fused kernel, it takes the way of plain ops then. An op of
/// a plugin whose gradient cannot be differentiated says so with `first_order_only`, and asking for a second derivative names it.
///
/// What a gradient reads must still hold what the op saw: a tensor that was written in place in between (assign, fill, copy_from_host, an
/// optimiser's step, a replayed plan) throws autograd.overwritten, naming the op and the write, when the gradient reads it. Views share
/// their buffer's mark. Writes through data<T>() are not seen.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tenon/tensor.hpp"

namespace tenon {

/// Gradients of an op's inputs (undefined where none is needed) from those of its outputs (never undefined). Each has the shape, type and
/// device of its input; anything else throws autograd.gradient.
using BackwardFn = std::function<std::vector<Tensor>(const std::vector<Tensor>& d_outputs)>;

struct BackwardNode;

/// Sees a tensor's whole gradient, once all paths have added to it; what it returns goes on in its place (undefined: the same).
using GradientHook = std::function<Tensor(const Tensor& gradient)>;

struct AutogradMeta {
  bool requires_grad = false;
  std::vector<GradientHook> hooks;     ///< of a leaf; those of an op's output stand with the op
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

/// Adds a hook to a tensor that requires a gradient. Hooks run in the order in which they were added, on the thread of the backward pass.
/// Throws a usage error for a tensor without history, and for an output whose history was freed.
TENON_API void on_gradient(const Tensor& tensor, GradientHook hook);

/// `f(inputs)` without keeping what its ops save: the backward pass runs `f` again and differentiates that, trading time for memory
/// (Chen et al. 2016). What else f uses and needs a gradient, its layers' parameters say, is found when it runs first; `parameters` may name
/// some all the same, and those that f does not use get zeros. f must do the same both times; random numbers of this library do, and
/// batch_norm moves its running statistics the first time only.
using TensorFunction = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;
TENON_API std::vector<Tensor> recompute(const TensorFunction& f, const std::vector<Tensor>& inputs, const std::vector<Tensor>& parameters = {});

/// While one is alive on a thread, the first op whose result, or whose gradient, holds a NaN or an infinity throws autograd.not_finite with its
/// name, its inputs and where the number stands. Slow: every result is read. Not inside a recorded step, where nothing is computed.
class TENON_API DetectNotFinite {
 public:
  DetectNotFinite();
  ~DetectNotFinite();
  DetectNotFinite(const DetectNotFinite&) = delete;
  DetectNotFinite& operator=(const DetectNotFinite&) = delete;

 private:
  bool before_;
};

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
