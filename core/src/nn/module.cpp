#include "tenon/nn/module.hpp"

#include <cmath>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "tenon/autograd.hpp"
#include "nn/stream.hpp"
#include "tenon/error.hpp"
#include "tenon/random.hpp"

namespace tenon::nn {
namespace {

/// Names are what checkpoints go by: two of the same would load into one another.
void refuse_taken(const std::string& name, const NamedTensors& parameters, const NamedTensors& buffers) {
  for (const NamedTensors* list : {&parameters, &buffers})
    for (const auto& [taken, t] : *list)
      if (taken == name) throw_usage("Module", "the name '" + name + "' is registered twice");
}

/// The module whose `forward` is asking for its `forward_all` on this thread: each stands for the other where one alone is overridden, and
/// a module that overrides neither would go round forever.
thread_local const Module* asking = nullptr;

}  // namespace

Module::~Module() = default;

Tensor Module::operator()(const Tensor& x) {
  if (!exception_handler_) return forward(x);
  try {
    return forward(x);
  } catch (...) {
    exception_handler_();
    throw;
  }
}

std::vector<Tensor> Module::forward_all(const std::vector<Tensor>& inputs) {
  if (inputs.size() != 1) throw_usage("Module::forward_all", "this module takes one input, got " + std::to_string(inputs.size()));
  if (asking == this) throw_usage("Module::forward", "the module overrides neither forward nor forward_all", "override the one that suits it");
  return {forward(inputs[0])};
}

std::int64_t Module::size_divisor() const { return 1; }

Tensor Module::forward(const Tensor& x) {
  struct Asking {
    const Module* before;
    explicit Asking(const Module* m) : before(std::exchange(asking, m)) {}
    ~Asking() { asking = before; }
  } guard(this);
  std::vector<Tensor> outputs = forward_all({x});
  if (outputs.empty()) throw_usage("Module::forward", "the module gave no output");
  return outputs[0];
}

template <class Self, class F> void Module::visit(Self& root, F&& f) {
  std::unordered_set<const Module*> seen;  // a shared layer has one set of parameters, one stream, one first name
  const auto walk = [&](const auto& self, Self& m, const std::string& prefix) -> void {
    if (!seen.insert(&m).second) return;
    f(prefix, m);
    for (const auto& [name, child] : m.children_) self(self, *child, prefix + name + ".");
  };
  walk(walk, root, "");
}

void Module::attach(std::string name, std::shared_ptr<Module> child) {
  if (!child) throw_usage("Module", "the child '" + name + "' is null");
  for (const auto& [taken, other] : children_)
    if (taken == name) throw_usage("Module", "the child '" + name + "' is registered twice", "parameters go by their names: give each child its own");
  children_.emplace_back(std::move(name), std::move(child));
}

NamedTensors Module::parameters() const {
  NamedTensors all;
  visit(*this, [&](const std::string& prefix, const Module& m) {
    for (const auto& [name, t] : m.parameters_) all.emplace_back(prefix + name, t);
  });
  return all;
}

NamedTensors Module::buffers() const {
  NamedTensors all;
  visit(*this, [&](const std::string& prefix, const Module& m) {
    for (const auto& [name, t] : m.buffers_) all.emplace_back(prefix + name, t);
  });
  return all;
}

std::int64_t Module::parameter_count() const {
  std::int64_t n = 0;
  for (const auto& [name, t] : parameters()) n += t.numel();
  return n;
}

void Module::load(const NamedTensors& state) {
  std::unordered_map<std::string, Tensor> given;
  for (const auto& [name, t] : state)
    if (!given.emplace(name, t).second) throw Error(ErrorKind::data, "model.weight_twice", "'" + name + "' is given twice", "a weight has one value");
  NamedTensors own = parameters();
  for (auto& b : buffers()) own.push_back(std::move(b));
  for (const auto& [name, t] : own) {
    auto it = given.find(name);
    if (it == given.end()) throw Error(ErrorKind::data, "model.missing_weight", "the weights lack '" + name + "' " + t.shape().str(), "they belong to another model; use the run's own recipe");
    if (!(it->second.shape() == t.shape()))
      throw Error(ErrorKind::data, "model.weight_shape", "'" + name + "' is " + it->second.shape().str() + " in the weights and " + t.shape().str() + " in the model", "they belong to another model; use the run's own recipe");
    if (it->second.dtype() != t.dtype() && !(is_floating(it->second.dtype()) && is_floating(t.dtype())))
      throw Error(ErrorKind::data, "model.weight_type", "'" + name + "' is " + std::string(name_of(it->second.dtype())) + " in the weights and " + std::string(name_of(t.dtype())) + " in the model", "floating-point types are converted, others are not: save the weights as " + std::string(name_of(t.dtype())));
  }
  for (const auto& [name, t] : given) {
    bool known = false;
    for (const auto& [n, own_tensor] : own) known = known || n == name;
    if (!known) throw Error(ErrorKind::data, "model.unknown_weight", "the model has no '" + name + "'", "the weights belong to another model; use the run's own recipe");
  }
  for (const auto& [name, t] : own) t.assign(given[name]);
}

void Module::train(bool on) {
  visit(*this, [&](const std::string&, Module& m) { m.training_ = on; });
}

void Module::set_random_key(const Tensor& key) {
  visit(*this, [&](const std::string& prefix, Module& m) {
    m.random_key_ = key;
    m.random_stream_ = stream_of(prefix);
  });
}

void Module::initialise(std::uint64_t seed) {
  visit(*this, [&](const std::string& prefix, const Module& m) {
    for (std::size_t i = 0; i < m.parameters_.size(); ++i) {
      const auto& [name, t] = m.parameters_[i];
      const Init& init = m.inits_[i];
      if (init.kind == Init::Kind::constant) {
        t.fill(init.value);
        continue;
      }
      Random random(seed, stream_of(prefix + name));
      double gain2 = 2.0 / (1.0 + init.value * init.value), fan_in = double(init.fan_in), fan_out = double(init.fan_out);
      std::vector<float> values(std::size_t(t.numel()));
      double bound = 0, deviation = 0;
      switch (init.kind) {
        case Init::Kind::kaiming_normal: deviation = std::sqrt(gain2 / fan_in); break;
        case Init::Kind::kaiming_uniform: bound = std::sqrt(3 * gain2 / fan_in); break;
        case Init::Kind::xavier_uniform: bound = std::sqrt(6 / (fan_in + fan_out)); break;
        case Init::Kind::normal: deviation = init.value; break;
        case Init::Kind::uniform: bound = init.value; break;
        case Init::Kind::constant: break;
      }
      for (std::size_t k = 0; k < values.size(); ++k)
        values[k] = deviation > 0 ? float(deviation * double(random.normal(k))) : float(bound * (2.0 * double(random.uniform(k)) - 1.0));
      t.copy_from_host(values.data(), values.size() * sizeof(float));
    }
  });
}

Tensor Module::add_parameter(std::string name, const Shape& shape, Init init) {
  refuse_taken(name, parameters_, buffers_);
  Tensor t = Tensor::zeros(shape);
  t.set_requires_grad();
  parameters_.emplace_back(std::move(name), t);
  inits_.push_back(init);
  return t;
}

Tensor Module::add_buffer(std::string name, const Shape& shape, double value) {
  refuse_taken(name, parameters_, buffers_);
  Tensor t = Tensor::full(shape, value);
  buffers_.emplace_back(std::move(name), t);
  return t;
}

}  // namespace tenon::nn
