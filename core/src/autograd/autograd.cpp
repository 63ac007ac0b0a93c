#include "tenon/autograd.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <queue>
#include <sstream>
#include <unordered_map>
#include <unordered_set>

#include "autograd/backward_scope.hpp"
#include "autograd/saved.hpp"
#include "tensor/write_clock.hpp"
#include "tenon/complex.hpp"
#include "tenon/error.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"
#include "tenon/storage.hpp"

namespace tenon {

/// One differentiable op that ran. Nodes are numbered by ticks of the write clock, so in order of creation: a node's inputs are always
/// older, and walking by falling number is a topological order, the same one every time.
struct BackwardNode {
  struct Edge {
    std::shared_ptr<AutogradMeta> input;  ///< null where no gradient is needed
    Shape shape;                          ///< of the input, and so of its gradient
    DType dtype = DType::f32;
    Device device = kCpu;
  };
  struct Output {
    Shape shape;
    DType dtype;
    Device device;
    std::vector<GradientHook> hooks = {};
    std::function<Tensor()> again = {};  ///< computes the values from what this node keeps
    std::weak_ptr<Storage> made = {};    ///< where they were put, and the tick of that write
    std::uint64_t written = 0;
  };
  const char* name;
  std::uint64_t number;
  std::vector<Edge> edges;
  std::vector<Output> outputs;
  BackwardFn backward;
  bool first_order_only;
  ~BackwardNode();
};

namespace {

thread_local bool grad_enabled = true;
thread_local bool detect_not_finite = false;
thread_local bool detector_alive = false;  ///< the same, but not paused while a gradient runs
thread_local bool recomputing = false;

/// Tensors from outside that a recomputed function uses and that need a gradient, each once.
struct Captured {
  std::vector<Tensor> tensors;
  std::unordered_set<const AutogradMeta*> seen;
  void note(const Tensor& t) {
    if (t.defined() && t.requires_grad() && seen.insert(t.autograd().get()).second) tensors.push_back(t);
  }
};
thread_local Captured* captured = nullptr;

/// A value put back when the scope ends.
template <class T> struct Restore {
  T& place;
  T before;
  Restore(T& variable, T now) : place(variable), before(variable) { variable = now; }
  ~Restore() { place = before; }
  Restore(const Restore&) = delete;
  Restore& operator=(const Restore&) = delete;
};

/// What a dying node held. A node holds its predecessors, so plain destruction would recurse as deep as the history
/// is long; instead the outermost destructor works through a list.
struct Remains {
  std::vector<BackwardNode::Edge> edges;
  BackwardFn backward;
};
thread_local std::vector<Remains>* remains = nullptr;

/// "f32[2, 3] cpu from -1 to 4", or how many are not finite.
std::string range_of(const Tensor& t) {
  if (!t.defined()) return "nothing";
  if (is_complex(t.dtype())) return range_of(view_as_real(t.detach()));
  if (!is_floating(t.dtype())) return t.str();
  double low = std::numeric_limits<double>::infinity(), high = -low;
  std::int64_t bad = 0;
  for (double v : t.to_vector()) {
    if (!std::isfinite(v)) {
      ++bad;
      continue;
    }
    low = std::min(low, v);
    high = std::max(high, v);
  }
  std::ostringstream text;
  text << t.str();
  if (low <= high) text << " from " << low << " to " << high;
  if (bad) text << (low <= high ? "," : "") << " with " << bad << " not finite";
  return text.str();
}

void require_finite(const std::string& what, std::span<const Tensor> results, std::span<const Tensor> inputs) {
  if (!detect_not_finite || is_recording()) return;
  const Restore<bool> pause(detect_not_finite, false);  // reading the numbers runs ops too
  for (const Tensor& t : results) {
    if (!t.defined() || !has_gradient(t.dtype())) continue;
    const std::vector<double> values = (is_complex(t.dtype()) ? view_as_real(t.detach()) : t).to_vector();
    const auto first = std::find_if(values.begin(), values.end(), [](double v) { return !std::isfinite(v); });
    if (first == values.end()) continue;
    std::string from;
    for (const Tensor& input : inputs) from += (from.empty() ? "" : "; ") + range_of(input);
    throw Error(ErrorKind::data, "autograd.not_finite",
                what + " is " + std::to_string(*first) + " at element " + std::to_string(first - values.begin()) + " of " + t.str() + (from.empty() ? "" : ", from " + from),
                "look at its inputs: a log or a root of 0, a division by 0, an overflow");
  }
}

/// The gradient after a tensor's hooks.
Tensor hooked(const std::vector<GradientHook>& hooks, Tensor gradient) {
  for (const GradientHook& hook : hooks) {
    Tensor changed = hook(gradient);
    if (!changed.defined()) continue;
    if (!(changed.shape() == gradient.shape()) || changed.dtype() != gradient.dtype() || changed.device() != gradient.device())
      throw_usage("on_gradient", "a hook returned " + changed.str() + " for the gradient " + gradient.str());
    gradient = changed;
  }
  return gradient;
}

bool needs(const std::shared_ptr<AutogradMeta>& m) { return m && m->requires_grad; }

/// What the op's gradient makes on the way is its own affair: the detector names the op, not its parts.
std::vector<Tensor> gradient_of(const BackwardNode& node, const std::vector<Tensor>& d_outputs) {
  const Restore<bool> pause(detect_not_finite, false);
  const BackwardScope scope(node.name, node.number, d_outputs);
  return node.backward(d_outputs);
}

/// A gradient looks like what it is the gradient of. Products of 16-bit roundings of f32 parameters deliver theirs in f32, unrounded: an
/// op's result may take that, a leaf may not.
void check_gradient(const BackwardNode& node, std::size_t i, const BackwardNode::Edge& edge, const Tensor& d) {
  if (!edge.input || !d.defined()) return;
  const bool wider = edge.input->node && d.dtype() == DType::f32 && is_floating(edge.dtype) && size_of(edge.dtype) == 2;
  if (d.shape() == edge.shape && d.device() == edge.device && (d.dtype() == edge.dtype || wider)) return;
  throw Error(ErrorKind::internal, "autograd.gradient",
              std::string("the gradient of '") + node.name + "' is " + d.str() + " for input " + std::to_string(i) + ", which is " + std::string(name_of(edge.dtype)) +
                  edge.shape.str() + " " + edge.device.str(),
              "a gradient has the shape, type and device of its input");
}

struct Engine {
  bool create_graph = false;
  std::uint64_t floor = 0;                                               ///< history older than this is not entered
  std::unordered_map<const BackwardNode*, std::vector<Tensor>> pending;  ///< gradients of a node's outputs so far
  std::unordered_map<const AutogradMeta*, Tensor> wanted;                ///< leaves or inputs asked for
  std::unordered_map<const BackwardNode*, std::vector<const AutogradMeta*>> wanted_of;  ///< those that a node made
  std::unordered_map<const AutogradMeta*, std::shared_ptr<AutogradMeta>> leaves;
  std::vector<std::shared_ptr<AutogradMeta>> leaf_order;
  bool collect_leaves = false;

  struct Older {
    bool operator()(const std::shared_ptr<BackwardNode>& a, const std::shared_ptr<BackwardNode>& b) const { return a->number < b->number; }
  };
  std::priority_queue<std::shared_ptr<BackwardNode>, std::vector<std::shared_ptr<BackwardNode>>, Older> queue;

  bool enters(const AutogradMeta& meta) const { return meta.node && meta.node->number > floor; }

  void want(const AutogradMeta& meta) {
    if (wanted.try_emplace(&meta).second && enters(meta)) wanted_of[meta.node.get()].push_back(&meta);
  }

  void give(const std::shared_ptr<AutogradMeta>& meta, const Tensor& d) {
    if (!needs(meta) || !d.defined()) return;
    if (!enters(*meta)) {
      if (auto it = wanted.find(meta.get()); it != wanted.end()) it->second = it->second.defined() ? add(it->second, d) : d;
      if (!collect_leaves) return;
      if (leaves.emplace(meta.get(), meta).second) leaf_order.push_back(meta);
      Tensor& g = leaf_gradient[meta.get()];
      g = g.defined() ? add(g, d) : d;
      return;
    }
    auto [it, fresh] = pending.try_emplace(meta->node.get());
    if (fresh) {
      it->second.resize(meta->node->outputs.size());
      queue.push(meta->node);
    }
    Tensor& g = it->second[std::size_t(meta->output_index)];
    g = g.defined() ? add(g, d) : d;
  }

  void run() {
    while (!queue.empty()) {
      std::shared_ptr<BackwardNode> node = queue.top();
      queue.pop();
      std::vector<Tensor> d_outputs = std::move(pending[node.get()]);
      pending.erase(node.get());
      if (!node->backward)
        throw_usage("backward", std::string("the history of '") + node->name + "' was already used and freed", "compute the loss again, or keep history with create_graph");
      if (create_graph && node->first_order_only)
        throw_usage("gradients", std::string("'") + node->name + "' has no second derivative (its gradient is one fused kernel)", "build it from plain ops where second derivatives are needed");
      for (std::size_t i = 0; i < d_outputs.size(); ++i)
        d_outputs[i] = hooked(node->outputs[i].hooks, d_outputs[i].defined() ? d_outputs[i]
                                                                               : Tensor::zeros(node->outputs[i].shape, node->outputs[i].dtype, node->outputs[i].device));
      if (auto it = wanted_of.find(node.get()); it != wanted_of.end())
        for (const AutogradMeta* meta : it->second) wanted[meta] = d_outputs[std::size_t(meta->output_index)];
      std::vector<Tensor> d_inputs = gradient_of(*node, d_outputs);
      require_finite(std::string("the gradient of '") + node->name + "'", d_inputs, d_outputs);
      d_outputs.clear();
      std::vector<BackwardNode::Edge> edges = node->edges;
      if (!create_graph) {  // frees what the op kept
        node->backward = nullptr;
        node->edges.clear();
        for (BackwardNode::Output& o : node->outputs) o.again = nullptr;
      }
      if (d_inputs.size() != edges.size())
        throw Error(ErrorKind::internal, "autograd.arity", std::string("the gradient of '") + node->name + "' returned " + std::to_string(d_inputs.size()) + " tensors for " + std::to_string(edges.size()) + " inputs");
      for (std::size_t i = 0; i < d_inputs.size(); ++i) {
        check_gradient(*node, i, edges[i], d_inputs[i]);
        give(edges[i].input, d_inputs[i]);
        d_inputs[i] = {};
      }
    }
  }

  std::unordered_map<const AutogradMeta*, Tensor> leaf_gradient;
};

std::vector<Tensor> gradients_above(std::uint64_t floor, bool leaf_hooks, const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                                    const std::vector<Tensor>& d_outputs, bool create_graph);

/// The gradients of `inputs` from those of f's results, by running f now. The first `own` inputs are given to f without their history, or,
/// to be differentiated again, behind an op of their own, so that a tensor given twice gets each place's share; the others f reaches itself.
std::vector<Tensor> gradients_again(const char* op, const TensorFunction& f, const std::vector<Tensor>& inputs, std::size_t own,
                                    const std::vector<Tensor>& d_outputs, bool create_graph) {
  const Restore<bool> keep(grad_enabled, true);
  std::vector<Tensor> given = inputs, wanted;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined() || !inputs[i].requires_grad()) continue;
    if (i < own) {
      given[i] = inputs[i].detach();
      if (create_graph) given[i] = differentiable("identity", given[i], {inputs[i]}, [](const std::vector<Tensor>& d) { return d; });
      else given[i].set_requires_grad();
    }
    wanted.push_back(given[i]);
  }
  const std::uint64_t floor = take_tick();  // what f captures keeps its history for the pass that we are part of
  const std::vector<Tensor> results = f(given);
  if (results.size() != d_outputs.size())
    throw_usage(op, "the function gave " + std::to_string(d_outputs.size()) + " results, and " + std::to_string(results.size()) + " when it ran again");
  std::vector<Tensor> reached, weights;  // an output without history has no gradient to give
  for (std::size_t i = 0; i < results.size(); ++i)
    if (results[i].defined() && results[i].requires_grad()) {
      reached.push_back(results[i]);
      weights.push_back(d_outputs[i]);
    }
  const std::vector<Tensor> found = gradients_above(floor, false, reached, wanted, weights, create_graph);
  std::vector<Tensor> d_inputs;
  std::size_t next = 0;
  for (const Tensor& t : inputs) d_inputs.push_back(t.defined() && t.requires_grad() ? found[next++] : Tensor());
  return d_inputs;
}

Tensor seed_gradient(const char* op, const Tensor& output) {
  if (is_complex(output.dtype())) throw_usage(op, "the output " + output.str() + " is complex", "give its gradient, or make it real with abs, real or imag");
  if (output.numel() != 1) throw_usage(op, "the output " + output.str() + " is not a scalar", "give its gradient, or reduce it with sum or mean");
  return Tensor::full(output.shape(), 1, output.dtype(), output.device());
}

/// gradients(), over history younger than `floor`. `leaf_hooks`: off where the leaves' gradients go on to be summed elsewhere.
std::vector<Tensor> gradients_above(std::uint64_t floor, bool leaf_hooks, const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                                    const std::vector<Tensor>& d_outputs, bool create_graph) {
  const Restore<bool> mode(grad_enabled, create_graph);
  Engine engine;
  engine.create_graph = create_graph;
  engine.floor = floor;
  for (const Tensor& t : inputs) {
    if (!t.requires_grad()) throw_usage("gradients", "an input " + t.str() + " does not require a gradient", "call set_requires_grad() before computing with it");
    engine.want(*t.autograd());
  }
  if (d_outputs.size() > outputs.size())
    throw_usage("gradients", std::to_string(d_outputs.size()) + " gradients given for " + std::to_string(outputs.size()) + " outputs");
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    Tensor d = i < d_outputs.size() && d_outputs[i].defined() ? d_outputs[i] : seed_gradient("gradients", outputs[i]);
    if (!(d.shape() == outputs[i].shape()) || d.dtype() != outputs[i].dtype() || d.device() != outputs[i].device())
      throw_usage("gradients", "gradient " + d.str() + " given for output " + outputs[i].str());
    engine.give(outputs[i].autograd(), d);
  }
  engine.run();
  std::unordered_set<const AutogradMeta*> done;
  std::vector<Tensor> result;
  for (const Tensor& t : inputs) {
    const AutogradMeta& meta = *t.autograd();
    Tensor& d = engine.wanted[&meta];
    if (leaf_hooks && !meta.node && d.defined() && done.insert(&meta).second) d = hooked(meta.hooks, d);
    result.push_back(d.defined() ? d : Tensor::zeros(t.shape(), t.dtype(), t.device()));
  }
  return result;
}

}  // namespace

BackwardNode::~BackwardNode() {
  Remains own{std::move(edges), std::move(backward)};
  if (remains) {
    remains->push_back(std::move(own));
    return;
  }
  std::vector<Remains> list;
  remains = &list;
  list.push_back(std::move(own));
  while (!list.empty()) {
    Remains next = std::move(list.back());
    list.pop_back();
  }
  remains = nullptr;
}

bool wants_grad(std::span<const Tensor> inputs) {
  return grad_enabled && std::any_of(inputs.begin(), inputs.end(), [](const Tensor& t) { return t.defined() && t.requires_grad(); });
}

void differentiable(const char* name, std::span<Tensor> outputs, std::span<const Tensor> inputs, BackwardFn backward, bool first_order_only) {
  if (detect_not_finite) require_finite(std::string("the result of '") + name + "'", outputs, inputs);
  if (captured)
    for (const Tensor& t : inputs) captured->note(t);
  if (!wants_grad(inputs)) return;
  auto node = std::make_shared<BackwardNode>();
  node->name = name;
  node->number = take_tick();
  node->backward = std::move(backward);
  node->first_order_only = first_order_only;
  for (const Tensor& t : inputs) {
    if (t.defined() && t.requires_grad()) node->edges.push_back({t.autograd(), t.shape(), t.dtype(), t.device()});
    else node->edges.emplace_back();
  }
  int index = 0;
  for (Tensor& t : outputs) {
    node->outputs.push_back({t.shape(), t.dtype(), t.device(), {}});
    auto meta = std::make_shared<AutogradMeta>();
    meta->requires_grad = true;
    meta->node = node;
    meta->output_index = index++;
    t.set_autograd(std::move(meta));
  }
}

void computed_again(const Tensor& result, std::function<Tensor()> again) {
  const auto& meta = result.autograd();
  const Storage* const storage = result.storage().get();
  if (!meta || !meta->node || !storage) return;
  BackwardNode::Output& out = meta->node->outputs[std::size_t(meta->output_index)];
  out.again = std::move(again);
  out.made = result.storage();
  out.written = storage->written();
}

Saved::Saved(const Tensor& input) {
  const auto& meta = input.defined() ? input.autograd() : nullptr;
  if (meta && meta->node && input.device().type != DeviceType::cpu) {
    const BackwardNode::Output& out = meta->node->outputs[std::size_t(meta->output_index)];
    // what was written since is not what would be computed again
    const Storage* const storage = input.storage().get();
    if (storage && out.made.lock().get() == storage && out.written == storage->written()) again_ = out.again;
  }
  if (again_) history_ = meta;
  else values_ = input;
}

Tensor Saved::get() const {
  if (!again_) return values_;
  NoGrad off;
  Tensor values = again_();
  values.set_autograd(history_);
  return values;
}

Tensor differentiable(const char* name, Tensor output, std::vector<Tensor> inputs, BackwardFn backward, bool first_order_only) {
  differentiable(name, std::span<Tensor>(&output, 1), inputs, std::move(backward), first_order_only);
  return output;
}

std::vector<Tensor> gradients(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs, std::vector<Tensor> d_outputs, bool create_graph) {
  return gradients_above(0, true, outputs, inputs, d_outputs, create_graph);
}

void Tensor::backward() const {
  if (!requires_grad()) throw_usage("backward", "the tensor " + str() + " has no history", "compute it from tensors that require gradients, outside NoGrad");
  const Restore<bool> mode(grad_enabled, false);
  Engine engine;
  engine.collect_leaves = true;
  engine.give(autograd_, seed_gradient("backward", *this));
  engine.run();
  for (const auto& leaf : engine.leaf_order) {
    Tensor d = hooked(leaf->hooks, engine.leaf_gradient[leaf.get()]);
    engine.leaf_gradient[leaf.get()] = {};
    if (leaf->grad.defined()) {
      leaf->grad = add(leaf->grad, d);
    } else {  // a gradient is dense and shares memory with nothing, for it may be written in place
      leaf->grad = d.is_contiguous() && d.storage().use_count() == 1 ? d : d.clone();
    }
  }
}

bool Tensor::requires_grad() const noexcept { return needs(autograd_); }

Tensor& Tensor::set_requires_grad(bool on) {
  if (!defined()) throw_usage("set_requires_grad", "the tensor is undefined");
  if (on && !has_gradient(dtype_)) throw_usage("set_requires_grad", str() + " is not a floating-point or complex tensor");
  if (autograd_ && autograd_->node) throw_usage("set_requires_grad", "the tensor is the result of an op", "use detach() first");
  if (!autograd_) autograd_ = std::make_shared<AutogradMeta>();
  autograd_->requires_grad = on;
  return *this;
}

Tensor Tensor::grad() const { return autograd_ ? autograd_->grad : Tensor(); }
void Tensor::set_grad(const Tensor& g) const {
  if (!autograd_) throw_usage("set_grad", "the tensor does not require a gradient");
  if (g.defined() && (!(g.shape() == shape_) || g.dtype() != dtype_ || g.device() != device()))
    throw_usage("set_grad", "gradient " + g.str() + " given for " + str(), "a gradient has the shape, type and device of its tensor");
  autograd_->grad = g;
}

Tensor Tensor::detach() const {
  Tensor t = *this;
  t.autograd_ = nullptr;
  return t;
}

void on_gradient(const Tensor& tensor, GradientHook hook) {
  if (!tensor.defined() || !tensor.requires_grad()) throw_usage("on_gradient", (tensor.defined() ? tensor.str() : std::string("an undefined tensor")) + " requires no gradient");
  const auto& meta = tensor.autograd();
  if (!meta->node) {
    meta->hooks.push_back(std::move(hook));
    return;
  }
  if (!meta->node->backward) throw_usage("on_gradient", std::string("the history of '") + meta->node->name + "' was already used and freed");
  meta->node->outputs[std::size_t(meta->output_index)].hooks.push_back(std::move(hook));
}

bool is_recomputing() noexcept { return recomputing; }
bool will_be_recomputed() noexcept { return captured != nullptr; }

std::vector<Tensor> gradients_of_ops(const TensorFunction& f, const std::vector<Tensor>& inputs, const std::vector<Tensor>& d_outputs) {
  return gradients_again("gradients_of_ops", f, inputs, inputs.size(), d_outputs, true);
}

std::vector<Tensor> recompute(const TensorFunction& f, const std::vector<Tensor>& inputs, const std::vector<Tensor>& parameters) {
  if (!f) throw_usage("recompute", "no function was given");
  if (!grad_enabled) return f(inputs);
  Captured used;
  for (const Tensor& t : parameters) used.note(t);
  std::vector<Tensor> outputs;
  {
    std::vector<Tensor> given = inputs;  // without history: whatever else needs a gradient comes from outside
    for (Tensor& t : given) t = t.detach();
    const NoGrad no_grad;
    const Restore<Captured*> watch(captured, &used);
    outputs = f(given);
    for (const Tensor& t : outputs) used.note(t);
  }
  std::vector<Tensor> all = inputs;
  all.insert(all.end(), used.tensors.begin(), used.tensors.end());
  for (Tensor& t : outputs) t = t.detach();
  differentiable(
      "recompute", outputs, all,
      [f, inputs, outside = std::move(used.tensors)](const std::vector<Tensor>& d_outputs) {
        const Restore<bool> second(recomputing, true), look(detect_not_finite, detector_alive);  // f's ops answer for themselves
        const std::size_t own = inputs.size();
        std::vector<Tensor> all_inputs = inputs;
        all_inputs.insert(all_inputs.end(), outside.begin(), outside.end());
        return gradients_again("recompute", [&](const std::vector<Tensor>& in) { return f({in.begin(), in.begin() + std::ptrdiff_t(own)}); },
                               all_inputs, own, d_outputs, grad_enabled);
      });
  return outputs;
}

DetectNotFinite::DetectNotFinite() : before_(detector_alive) { detect_not_finite = detector_alive = true; }
DetectNotFinite::~DetectNotFinite() { detect_not_finite = detector_alive = before_; }

DetectorPause::DetectorPause() noexcept : before_(detect_not_finite) { detect_not_finite = false; }
DetectorPause::~DetectorPause() { detect_not_finite = before_; }

NoGrad::NoGrad() : before_(grad_enabled) { grad_enabled = false; }
NoGrad::~NoGrad() { grad_enabled = before_; }

}  // namespace tenon
