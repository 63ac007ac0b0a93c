// Whole networks, forward and backward with equal parameters, and short trainings by recorded steps.
#include <limits>
#include <regex>

#include "core/ops/gradient_check.hpp"
#include "cuda/cases.hpp"
#include "tenon/loss_scale.hpp"
#include "tenon/nn/attention.hpp"
#include "tenon/nn/fno.hpp"
#include "tenon/nn/layers.hpp"
#include "tenon/nn/recurrent.hpp"
#include "tenon/nn/unet.hpp"
#include "tenon/ops.hpp"
#include "tenon/optim.hpp"
#include "tenon/plan.hpp"
#include "tenon/weight_average.hpp"

using namespace tenon;
using namespace under_test;
using check::made;

namespace {

/// On the default device, with the values that the CPU draws.
template <class M, class... Args>
std::shared_ptr<M> with_same_values(const Args&... args) {
  nn::NamedTensors values;
  {
    DeviceScope cpu(kCpu);
    M reference(args...);
    reference.initialise(5);
    values = reference.parameters();
    for (auto& b : reference.buffers()) values.push_back(b);
  }
  auto module = std::make_shared<M>(args...);
  module->load(values);
  return module;
}

/// A normalisation takes the bias in front of it out again: its gradient is 0 but for rounding, which AdamW makes steps of full length of.
const std::regex kCancelled(".*conv[12]\\.bias");

void forward_and_backward(nn::Module& module, const Tensor& x) {
  Tensor input = x.detach();
  input.set_requires_grad();
  Tensor y = module.forward(input);
  note("output", y);
  sum(y * made(11, y.shape(), y.dtype())).backward();
  note("gradient of the input", input.grad());
  for (const auto& [name, p] : module.parameters())
    if (!std::regex_match(name, kCancelled)) note("gradient of " + name, p.grad());
}

nn::UNetOptions small_unet(const std::string& norm, DType compute = DType::f32) {
  nn::UNetOptions o;
  o.widths = {8, 16, 24}, o.classes = 3, o.norm = norm, o.compute = compute;
  return o;
}
nn::FnoOptions small_fno() {
  nn::FnoOptions o;
  o.in = 2, o.out = 1, o.width = 12, o.projection = 16, o.layers = 2, o.modes = {5, 4};
  return o;
}
nn::TransformerOptions small_transformer(bool norm_first) {
  nn::TransformerOptions o;
  o.channels = 32, o.heads = 4, o.feedforward = 48, o.dropout = 0, o.norm_first = norm_first;
  o.activation = norm_first ? nn::FeedForwardActivation::gelu : nn::FeedForwardActivation::relu;
  return o;
}

void unet() {
  for (const char* norm : {"instance", "batch", "group"})
    forward_and_backward(*with_same_values<nn::UNet>(small_unet(norm)), made(1, {2, 8, 12, 8, 1}));
}
void unet_16_bit() {
  // the output alone: 16-bit gradients of so small a network are a tenth rounding, on either device
  note("output", with_same_values<nn::UNet>(small_unet("instance", DType::bf16))->forward(made(1, {1, 8, 8, 8, 1})));
}
void fno() {
  forward_and_backward(*with_same_values<nn::Fno>(small_fno()), made(1, {2, 16, 12, 2}));
}
void lstm() {
  const nn::RecurrentStackOptions o{.layers = 2, .bidirectional = true};
  forward_and_backward(*with_same_values<nn::Lstm>(std::int64_t(5), std::int64_t(17), o), made(1, {3, 9, 5}));
  forward_and_backward(*with_same_values<nn::Gru>(std::int64_t(5), std::int64_t(17), o), made(1, {3, 9, 5}));
}
void transformer() {
  for (bool norm_first : {false, true})
    forward_and_backward(*with_same_values<nn::TransformerEncoderLayer>(small_transformer(norm_first)), made(1, {2, 37, 32}));
}

using MakeOptimiser = std::unique_ptr<Optimiser> (*)(nn::Module&);
std::unique_ptr<Optimiser> sgd(nn::Module& m) {
  return make_sgd(m, {.momentum = 0.9, .weight_decay = 1e-4, .clip = 5, .nesterov = true});
}
std::unique_ptr<Optimiser> adamw(nn::Module& m) {
  return make_adamw(m, {.clip = 5});
}

std::unique_ptr<Optimiser> adam(nn::Module& m) {
  return make_adam(m, {.weight_decay = 0.01, .clip_value = 0.05});
}
std::unique_ptr<Optimiser> rmsprop(nn::Module& m) {
  return make_rmsprop(m, {.momentum = 0.9, .weight_decay = 0.01, .centred = true});
}
std::unique_ptr<Optimiser> lamb(nn::Module& m) {
  return make_lamb(m, {.clip = 5});
}
std::unique_ptr<Optimiser> adafactor(nn::Module& m) {
  return make_adafactor(m, {.weight_decay = 0.01, .groups = {{"vectors", 0.5, 0}}});
}
std::unique_ptr<Optimiser> muon(nn::Module& m) {
  return make_muon(m, {.clip = 5});
}

void train(nn::Module& module, MakeOptimiser make, double rate, const Tensor& x, const std::function<Tensor(const Tensor&)>& loss_of, int steps = 20) {
  auto optimiser = make(module);
  Tensor loss;
  StepPlan plan = StepPlan::record([&] {
    loss = loss_of(module.forward(x));
    loss.backward();
    loss = loss.detach();
    optimiser->step();
  });
  for (int step = 0; step < steps; ++step) {
    optimiser->begin_step(rate);
    plan.run();
    note("loss of step " + std::to_string(step), loss.clone());
  }
  for (const auto& [name, p] : module.parameters())
    if (!std::regex_match(name, kCancelled)) note("trained " + name, p);
}

void train_unet(MakeOptimiser make, double rate) {
  std::vector<std::int64_t> v;
  for (int i = 0; i < 8 * 8 * 8; ++i) v.push_back(i % 7 % 3);
  const Tensor labels = Tensor::from(v, {1, 8, 8, 8}).to(DType::u8);
  nn::UNetOptions o = small_unet("instance");
  o.heads = 1;  // the one that forward gives: all parameters take part
  train(*with_same_values<nn::UNet>(o), make, rate, made(1, {1, 8, 8, 8, 1}),
        [&](const Tensor& y) { return dice_cross_entropy(y, labels); }, 6);
}
class Perceptron : public nn::Module {
 public:
  Tensor forward(const Tensor& x) override { return last_->forward(gelu(first_->forward(x))); }

 private:
  std::shared_ptr<nn::Linear> first_ = add_module("first", std::make_shared<nn::Linear>(7, 40)),
                              last_ = add_module("last", std::make_shared<nn::Linear>(40, 3));
};
void train_perceptron(MakeOptimiser make, double rate) {
  const Tensor target = made(2, {33, 3});
  train(*with_same_values<Perceptron>(), make, rate, made(1, {33, 7}), [&](const Tensor& y) { return mse_loss(y, target); });
}

/// More than one launch of an optimiser takes, of sizes that are no multiples of four.
void train_many_parameters() {
  class Many : public nn::Module {
   public:
    Tensor forward(const Tensor& x) override {
      Tensor y = layers_[0]->forward(x);
      for (std::size_t i = 1; i < layers_.size(); ++i) y = y + layers_[i]->forward(x);
      return y;
    }
    Many() {
      for (int i = 0; i < 520; ++i) layers_.push_back(add_module("layer" + std::to_string(i), std::make_shared<nn::Linear>(2, 3)));
    }

   private:
    std::vector<std::shared_ptr<nn::Linear>> layers_;
  };
  const Tensor target = made(2, {5, 3});
  train(*with_same_values<Many>(), adamw, 0.01, made(1, {5, 2}), [&](const Tensor& y) { return mse_loss(y, target); }, 2);
}

/// Leaves of many runs of elements, of matrices side by side and of several vectors.
void train_large_leaves(MakeOptimiser make, double rate) {
  class Large : public nn::Module {
   public:
    Tensor forward(const Tensor& x) override { return matrix_ * x + sum(square(stack_)) * 1e-3 + vector_.slice(0, 0, x.size(1)) * x; }

   private:
    Tensor matrix_ = add_parameter("matrix", {370, 367}, {Init::Kind::uniform, 0.3}),
           stack_ = add_parameter("stack", {3, 70, 5}, {Init::Kind::uniform, 0.3}),
           vector_ = add_parameter("vector", {4500}, {Init::Kind::uniform, 0.3});
  };
  const Tensor target = made(2, {370, 367});
  train(*with_same_values<Large>(), make, rate, made(1, {370, 367}), [&](const Tensor& y) { return mse_loss(y, target); }, 2);
}

/// Gradients that are divided by a loss scale, and found not finite; `parameters` as in train_many_parameters.
void loss_scale() {
  LossScale scale({.initial = 1024, .interval = 2});
  std::vector<Tensor> gradients;
  for (std::int64_t i = 0; i < 700; ++i) gradients.push_back(made(int(i), {1 + i % 5, 3}));
  for (const float last : {1.0f, std::numeric_limits<float>::infinity(), 2.0f, std::numeric_limits<float>::quiet_NaN(), 3.0f, 4.0f}) {
    gradients.push_back(Tensor::full({1}, double(last)));
    scale.unscale(gradients);
    gradients.pop_back();
    const bool finite = scale.finite();
    scale.update();
    note("finite", Tensor::full({1}, finite ? 1.0 : 0.0));
    note("scale", Tensor::full({1}, scale.value()));
  }
  for (std::size_t i : {std::size_t(0), std::size_t(511), std::size_t(699)}) note("gradient " + std::to_string(i), gradients[i]);
  note("scaled", scale.scaled(Tensor::full({1}, 0.3)));
}

void weight_average() {
  const auto model = with_same_values<Perceptron>();
  WeightAverage average(*model, WeightAverage::decay(0.9));
  for (std::int64_t step = 1; step < 4; ++step) {
    for (const auto& [name, p] : model->parameters()) p.detach().assign(made(int(step), p.shape()));
    average.update(step);
  }
  for (const auto& [name, t] : average.weights()) note("average of " + name, t);
  {
    const WeightAverage::Scope averaged(&average);
    note("output by the average", model->forward(made(1, {4, 7})));
  }
  note("output", model->forward(made(1, {4, 7})));
}

const Register cases(std::vector<Extra>{
    {"a loss scale", loss_scale, {DType::f32}},
    {"an average of weights", weight_average, {DType::f32}},
    {"UNet", unet, {DType::f32}, 1e-9},
    {"UNet in bf16", unet_16_bit, {DType::f32}, 1e-3},
    {"FNO", fno, {DType::f32}, 1e-9},
    {"LSTM and GRU", lstm, {DType::f32}, 1e-9},
    {"transformer block", transformer, {DType::f32}, 1e-9},
    {"training a perceptron by SGD", [] { train_perceptron(sgd, 0.02); }, {DType::f32}, 1e-7},
    {"training a perceptron by AdamW", [] { train_perceptron(adamw, 0.01); }, {DType::f32}, 1e-7},
    {"training a perceptron by Adam", [] { train_perceptron(adam, 0.01); }, {DType::f32}, 1e-7},
    {"training a perceptron by RMSprop", [] { train_perceptron(rmsprop, 0.001); }, {DType::f32}, 1e-7},
    {"training a perceptron by LAMB", [] { train_perceptron(lamb, 0.01); }, {DType::f32}, 1e-7},
    {"training a perceptron by Adafactor", [] { train_perceptron(adafactor, 0.01); }, {DType::f32}, 1e-7},
    {"training a perceptron by Muon", [] { train_perceptron(muon, 0.01); }, {DType::f32}, 1e-7},
    {"training large leaves by LAMB", [] { train_large_leaves(lamb, 0.01); }, {DType::f32}, 1e-7},
    {"training large leaves by Adafactor", [] { train_large_leaves(adafactor, 0.01); }, {DType::f32}, 1e-7},
    {"training 1040 parameters by AdamW", train_many_parameters, {DType::f32}, 1e-7},
    {"training a UNet by SGD", [] { train_unet(sgd, 0.02); }, {DType::f32}, 1e-5},
    {"training a UNet by AdamW", [] { train_unet(adamw, 0.003); }, {DType::f32}, 1e-5},
});

}  // namespace
