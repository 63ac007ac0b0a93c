/// Adam, RMSprop, LAMB, Adafactor and Muon against PyTorch and the papers (tests/golden/make_optim_family.py), and what all optimisers share.
#include <catch2/catch.hpp>
#include <cmath>

#include "core/optim/golden.hpp"
#include "tenon/device.hpp"
#include "tenon/error.hpp"
#include "tenon/optim.hpp"
#include "tenon/plan.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using namespace tenon::optim_test;

namespace {

const Golden kGolden{
#include "golden/optim_family.inc"
};

Two matrix_and_vector(std::int64_t rows = 3, std::int64_t columns = 4, std::int64_t vector = 3) { return Two({rows, columns}, {vector}); }

std::unique_ptr<Optimiser> optimiser_of(const std::string& name, nn::Module& m) {
  if (name == "adam") return make_adam(m, {});
  if (name == "adam_decay_value") return make_adam(m, {.beta1 = 0.8, .beta2 = 0.99, .weight_decay = 0.1, .clip_value = 0.5});
  if (name == "rmsprop") return make_rmsprop(m, {});
  if (name == "rmsprop_centred") return make_rmsprop(m, {.alpha = 0.9, .momentum = 0.8, .weight_decay = 0.01, .centred = true});
  if (name == "adafactor") return make_adafactor(m, {});
  if (name == "adafactor_decay") return make_adafactor(m, {.beta2_decay = -0.6, .threshold = 1.5, .weight_decay = 0.1});
  if (name == "lamb") return make_lamb(m, {.weight_decay = 0.1});
  REQUIRE(name == "muon");
  return make_muon(m, {});
}

}  // namespace

TEST_CASE("a hundred steps follow PyTorch's optimisers and the papers'", "[optim]") {
  follow(kGolden, [] { return matrix_and_vector(); }, optimiser_of, 5e-5, 2e-5);
}

TEST_CASE("every optimiser goes on from its saved state to the same bits", "[optim]") {
  interrupted(kGolden, [] { return matrix_and_vector(); }, optimiser_of);
}

TEST_CASE("every optimiser steps the same for any thread count, alone and in a plan", "[optim][threads]") {
  const int before = thread_count();
  const auto large = [] { return matrix_and_vector(70, 520, 40000); };  // several blocks of rows, columns and elements
  for (const auto& golden : kGolden) {
    std::vector<Values> results;
    for (int threads : {1, 2, 4}) {
      set_thread_count(threads);
      Two m = large();
      auto o = optimiser_of(golden.first, m);
      advance(m, *o, 1, 3);
      results.push_back(m.all());
    }
    Two m = large();
    auto o = optimiser_of(golden.first, m);
    const Tensor gw = Tensor::zeros(m.w.shape()), gb = Tensor::zeros(m.b.shape());
    StepPlan plan = StepPlan::record([&] {
      m.w.set_grad(gw);
      m.b.set_grad(gb);
      o->step();
    });
    for (int t = 1; t <= 3; ++t) {
      set_gradients(m, t);
      gw.assign(m.w.grad());
      gb.assign(m.b.grad());
      m.w.set_grad({});
      m.b.set_grad({});
      o->begin_step(rate(t));
      plan.run();
    }
    results.push_back(m.all());
    INFO(golden.first);
    for (const Values& r : results) CHECK(r == results[0]);
  }
  set_thread_count(before);
}

TEST_CASE("groups of parameters have their own rate and decay", "[optim]") {
  Two m = matrix_and_vector();
  const Values before = m.all();
  auto o = make_sgd(m, {.weight_decay = 0.5, .groups = {{"w", 2, 1}, {"vectors", 1, 0}}});
  m.w.set_grad(Tensor::full(m.w.shape(), 1));
  m.b.set_grad(Tensor::full(m.b.shape(), 1));
  o->begin_step(0.1);
  o->step();
  const Values after = m.all();
  for (std::size_t i = 0; i < 12; ++i) CHECK(after[i] == Approx(before[i] - 0.2 * (1 + 0.5 * before[i])).margin(1e-6));
  for (std::size_t i = 12; i < 15; ++i) CHECK(after[i] == Approx(before[i] - 0.1).margin(1e-6));
}

TEST_CASE("gradients are clipped by value before their norm is taken", "[optim]") {
  Two m = matrix_and_vector();
  const Values before = m.all();
  auto o = make_sgd(m, {.clip_value = 0.5});
  m.w.set_grad(Tensor::full(m.w.shape(), -3));
  m.b.set_grad(Tensor::full(m.b.shape(), 0.25));
  o->begin_step(1);
  o->step();
  CHECK(o->gradient_norm().item() == Approx(std::sqrt(12 * 0.25 + 3 * 0.0625)));
  CHECK(m.all()[0] == Approx(before[0] + 0.5));
  CHECK(m.all()[12] == Approx(before[12] - 0.25));
}

TEST_CASE("Muon's direction is orthogonal", "[optim]") {
  Two m = matrix_and_vector(6, 20, 1);
  const Random random(5, 0);
  for (std::int64_t i = 0; i < m.w.numel(); ++i) m.w.data<float>()[i] = random.normal(std::uint64_t(i));
  const Tensor start = m.w.detach().clone();
  auto o = make_muon(m, {.momentum = 0, .weight_decay = 0, .nesterov = false});
  m.w.set_grad(start);
  m.b.set_grad(Tensor::zeros({1}));
  o->begin_step(1);
  o->step();
  const Values w = m.w.to_vector(), s = start.to_vector();
  for (int i = 0; i < 6; ++i)
    for (int j = 0; j <= i; ++j) {
      double dot = 0;
      for (int k = 0; k < 20; ++k) dot += (s[std::size_t(20 * i + k)] - w[std::size_t(20 * i + k)]) * (s[std::size_t(20 * j + k)] - w[std::size_t(20 * j + k)]);
      CHECK(std::abs(dot - (i == j ? 1.0 : 0.0)) < 0.6);  // singular values lie between 0.7 and 1.2
    }
}

namespace {

struct Weights : nn::Module {
  Weights() { add_parameter("w", {2, 2}, {Init::Kind::constant, 1}); }
};

}  // namespace

TEST_CASE("optimisers refuse options out of their range", "[optim][misuse]") {
  using Catch::Matchers::StartsWith;
  Weights m;
  CHECK_THROWS_WITH(make_adam(m, {.beta1 = 1}), StartsWith("make_adam: beta1 is 1"));
  CHECK_THROWS_WITH(make_adam(m, {.beta2 = -0.1}), StartsWith("make_adam: beta2 is -0.1"));
  CHECK_THROWS_WITH(make_adamw(m, {.beta1 = 7}), StartsWith("make_adamw: beta1 is 7"));
  CHECK_THROWS_WITH(make_adamw(m, {.eps = NAN}), StartsWith("make_adamw: eps is nan"));
  CHECK_THROWS_WITH(make_lamb(m, {.weight_decay = -1}), StartsWith("make_lamb: weight_decay is -1"));
  CHECK_THROWS_WITH(make_sgd(m, {.momentum = -5}), StartsWith("make_sgd: momentum is -5"));
  CHECK_THROWS_WITH(make_sgd(m, {.clip = -1}), StartsWith("make_sgd: clip is -1"));
  CHECK_THROWS_WITH(make_sgd(m, {.clip_value = -1}), StartsWith("make_sgd: clip_value is -1"));
  CHECK_THROWS_WITH(make_sgd(m, {.nesterov = true}), StartsWith("make_sgd: nesterov with momentum 0"));
  CHECK_THROWS_WITH(make_sgd(m, {.groups = {{"*", -1, 1}}}), StartsWith("make_sgd: rate of group '*' is -1"));
  CHECK_THROWS_WITH(make_rmsprop(m, {.alpha = 1}), StartsWith("make_rmsprop: alpha is 1"));
  CHECK_THROWS_WITH(make_adafactor(m, {.beta2_decay = 0.8}), StartsWith("make_adafactor: beta2_decay is 0.8"));
  CHECK_THROWS_WITH(make_adafactor(m, {.threshold = 0}), StartsWith("make_adafactor: threshold is 0"));
  CHECK_THROWS_WITH(make_muon(m, {.iterations = -1}), StartsWith("make_muon: iterations is -1"));
  CHECK_THROWS_WITH(make_muon(m, {.momentum = 0}), StartsWith("make_muon: nesterov with momentum 0"));
  CHECK_THROWS_WITH(make_sgd(m, {})->begin_step(NAN), StartsWith("Optimiser::begin_step: learning rate nan"));
}

TEST_CASE("schedules refuse parts that are not there", "[optim][misuse]") {
  using Catch::Matchers::Contains;
  Schedule s;
  CHECK_THROWS_WITH(s.at(NAN), Contains("Schedule: progress"));
  s.name = "chained", s.parts = {{1.0, nullptr}};
  CHECK_THROWS_WITH(s.at(0.5), Contains("Schedule: the part that ends at 1"));
  s.name = "step", s.every = 0;
  CHECK_THROWS_WITH(s.at(0.5), Contains("Schedule: every is 0"));
}
