/// Module: a named tree of parameters with a forward function.
///
/// Derive, register parameters and children in the constructor, and override forward. Names are stable
/// ("encoder.0.conv.weight") and are what checkpoints use. Parameters are f32 leaves that require gradients.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tenon/tensor.hpp"

namespace tenon::nn {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

class TENON_API Module {
 public:
  virtual ~Module();
  Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  /// The general form: any number of inputs and outputs. The default calls the one-to-one form.
  virtual std::vector<Tensor> forward_all(const std::vector<Tensor>& inputs);
  /// The usual form: one input, one output.
  virtual Tensor forward(const Tensor& x);
  /// forward(x); what it throws meets the handler of set_exception_handler first.
  Tensor operator()(const Tensor& x);
  /// Every spatial size of the input must be a multiple of this.
  virtual std::int64_t size_divisor() const;

  /// Whole subtree, in order of registration. A child that is registered in several places is there once, under its first name.
  NamedTensors parameters() const;
  NamedTensors buffers() const;     ///< state that is saved but not trained (running statistics)
  std::int64_t parameter_count() const;
  /// Copies values in by name; throws naming what is missing, unknown or of another shape. All or nothing.
  void load(const NamedTensors& state);

  void train(bool on = true);
  void eval() { train(false); }
  bool training() const noexcept { return training_; }

  /// The key (see dropout.hpp) from which the subtree's layers draw while training; set once, after all children are there. Each layer's stream is
  /// its full name. The caller moves the key's step on, also between replays of a recorded step.
  void set_random_key(const Tensor& key);

  /// `handler` is called in the handler of whatever leaves operator(), and throws something itself: the host names a model's plugin by it.
  void set_exception_handler(std::function<void()> handler) { exception_handler_ = std::move(handler); }

  /// Fills every parameter anew: each from its own initialiser, keyed by (seed, full name).
  void initialise(std::uint64_t seed);

 protected:
  /// How a parameter gets its first values.
  struct Init {
    enum class Kind { constant, kaiming_normal, kaiming_uniform, xavier_uniform, normal, uniform } kind = Kind::constant;
    double value = 0;          ///< constant; or slope of the leaky ReLU (kaiming); or the scale (normal: std, uniform: bound)
    std::int64_t fan_in = 1, fan_out = 1;
  };
  Tensor add_parameter(std::string name, const Shape& shape, Init init);
  Tensor add_buffer(std::string name, const Shape& shape, double value);
  const Tensor& random_key() const noexcept { return random_key_; }  ///< undefined until set
  std::uint64_t random_stream() const noexcept { return random_stream_; }
  template <class M> std::shared_ptr<M> add_module(std::string name, std::shared_ptr<M> child) {
    attach(std::move(name), child);
    return child;
  }

 private:
  void attach(std::string name, std::shared_ptr<Module> child);
  /// f(prefix, module) of each module of the subtree, once.
  template <class Self, class F> static void visit(Self& root, F&& f);
  std::vector<std::pair<std::string, std::shared_ptr<Module>>> children_;
  NamedTensors parameters_, buffers_;
  std::vector<Init> inits_;
  std::function<void()> exception_handler_;
  Tensor random_key_;
  std::uint64_t random_stream_ = 0;
  bool training_ = true;
};

using ModulePtr = std::shared_ptr<Module>;

}  // namespace tenon::nn
