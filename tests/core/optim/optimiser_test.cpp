#include <catch2/catch.hpp>
#include <cmath>
#include <map>

#include "core/optim/golden.hpp"
#include "tenon/autograd.hpp"
#include "tenon/device.hpp"
#include "tenon/error.hpp"
#include "tenon/ops.hpp"
#include "tenon/optim.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using namespace tenon::optim_test;
using Catch::Matchers::Contains;

namespace {

const Golden kGolden{
#include "golden/optim.inc"
};

Two two(std::int64_t n = 7, std::int64_t m = 3) { return Two({n}, {m}); }

std::unique_ptr<Optimiser> golden_optimiser(const std::string& name, nn::Module& m) {
  if (name == "sgd_plain") return make_sgd(m, {});
  if (name == "sgd_momentum_decay") return make_sgd(m, {.momentum = 0.9, .weight_decay = 0.01});
  if (name == "sgd_nesterov_clip") return make_sgd(m, {.momentum = 0.99, .weight_decay = 3e-5, .clip = 1.5, .nesterov = true});
  if (name == "adamw") return make_adamw(m, {.weight_decay = 0.01});
  REQUIRE(name == "adamw_decay_clip");
  return make_adamw(m, {.weight_decay = 0.1, .clip = 0.7});
}

}  // namespace

TEST_CASE("a hundred steps follow PyTorch's optimisers", "[optim]") {
  follow(kGolden, [] { return two(); }, golden_optimiser, 2e-5, 5e-6);
}

TEST_CASE("the norm is reported before clipping, and clipping scales the step", "[optim]") {
  Two m = two(2, 1);
  auto o = make_sgd(m, {.clip = 1});
  auto before = m.w.to_vector();
  m.w.set_grad(Tensor::from(std::vector<float>{3, 0}, {2}));
  m.b.set_grad(Tensor::from(std::vector<float>{4}, {1}));
  o->begin_step(1);
  o->step();
  CHECK(o->gradient_norm().item() == 5);
  CHECK(m.w.to_vector()[0] == Approx(before[0] - 0.6));
  m.w.set_grad(Tensor::from(std::vector<float>{0.3f, 0}, {2}));
  m.b.set_grad(Tensor::from(std::vector<float>{0}, {1}));
  before = m.w.to_vector();
  o->begin_step(1);
  o->step();
  CHECK(m.w.to_vector()[0] == Approx(before[0] - 0.3));  // under the limit: unscaled
}

TEST_CASE("a step consumes the gradients and needs all of them", "[optim]") {
  Two m = two();
  auto o = make_sgd(m, {});
  set_gradients(m, 1);
  CHECK_THROWS_WITH(o->step(), Contains("Optimiser::step: no step has begun") && Contains("begin_step"));
  o->begin_step(0.1);
  o->step();
  CHECK_FALSE(m.w.grad().defined());
  o->begin_step(0.1);
  m.w.set_grad(Tensor::zeros({7}));
  CHECK_THROWS_WITH(o->step(), Contains("'b' has no gradient"));
  CHECK(m.w.grad().defined());  // the failed step took nothing
}

TEST_CASE("saved state goes on as if never interrupted, bit for bit", "[optim]") {
  interrupted(kGolden, [] { return two(); }, golden_optimiser);
}

TEST_CASE("state has stable names and is loaded all or nothing", "[optim]") {
  Two m = two();
  auto o = make_adamw(m, {});
  std::vector<std::string> names;
  for (const auto& [name, t] : o->state()) names.push_back(name);
  CHECK(names == std::vector<std::string>{"first_moment.w", "first_moment.b", "second_moment.w", "second_moment.b", "steps"});
  advance(m, *o, 1, 3);
  nn::NamedTensors before;
  for (const auto& [name, t] : o->state()) before.emplace_back(name, t.clone());
  nn::NamedTensors bad;
  for (const auto& [name, t] : before) bad.emplace_back(name, Tensor::full(t.shape(), 9, t.dtype()));
  bad[3].second = Tensor::zeros({4});
  CHECK_THROWS_WITH(o->load(bad), Contains("the state lacks 'second_moment.b' [3]"));
  bad.pop_back();
  CHECK_THROWS_WITH(o->load(bad), Contains("the state has 4 tensors, this optimiser 5"));
  auto after = o->state();
  for (std::size_t i = 0; i < before.size(); ++i) CHECK(after[i].second.to_vector() == before[i].second.to_vector());
}

TEST_CASE("large parameters step the same for any thread count", "[optim]") {
  const int threads_before = thread_count();
  std::vector<Values> results;
  for (int threads : {1, 2, 4}) {
    set_thread_count(threads);
    Two m = two(50001, 17000);
    auto o = make_adamw(m, {.clip = 0.5});
    advance(m, *o, 1, 3);
    Values all = m.all();
    all.push_back(o->gradient_norm().item());
    results.push_back(all);
  }
  set_thread_count(threads_before);
  CHECK(results[0] == results[1]);
  CHECK(results[0] == results[2]);
}

TEST_CASE("SGD finds the minimum of a quadratic through backward", "[optim]") {
  Two m = two();
  auto o = make_sgd(m, {.momentum = 0.9, .nesterov = true});
  for (int t = 0; t < 200; ++t) {
    Tensor loss = sum(square(m.w - 1.0)) + sum(square(m.b + 2.0));
    loss.backward();
    o->begin_step(0.05);
    o->step();
  }
  for (double v : m.w.to_vector()) CHECK(v == Approx(1).epsilon(1e-4));
  for (double v : m.b.to_vector()) CHECK(v == Approx(-2).epsilon(1e-4));
}

TEST_CASE("optimisers are made from declared parameters", "[optim]") {
  Two m = two();
  ParamValues values(optimiser_params());
  CHECK(make_optimiser(m, values)->state().size() == 3);
  values.set(optimiser_params(), "name", std::string("adamw"), "test");
  CHECK(make_optimiser(m, values)->state().size() == 5);
  CHECK_THROWS_AS(values.set(optimiser_params(), "name", std::string("adamax"), "test"), Error);
  for (const char* name : {"adam", "lamb", "rmsprop", "adafactor", "muon"}) {
    values.set(optimiser_params(), "name", std::string(name), "test");
    CHECK(make_optimiser(m, values)->state().back().first == "steps");
  }
  nn::Module empty;
  CHECK_THROWS_WITH(make_sgd(empty, {}), Contains("the module has no parameters"));
}

TEST_CASE("schedules have their shapes", "[optim]") {
  Schedule poly{"poly", 0.01, 0.9, 0, 0};
  CHECK(poly.at(0) == Approx(0.01));
  CHECK(poly.at(0.5) == Approx(0.01 * std::pow(0.5, 0.9)));
  CHECK(poly.at(1) == 0);
  CHECK(poly.at(2) == 0);
  CHECK(poly.at(-1) == Approx(0.01));
  Schedule cosine{"cosine", 1, 0, 0, 0.1};
  CHECK(cosine.at(0) == Approx(1));
  CHECK(cosine.at(0.5) == Approx(0.55));
  CHECK(cosine.at(1) == Approx(0.1));
  Schedule constant{"constant", 0.3, 0, 0.2, 0};
  CHECK(constant.at(0.1) == Approx(0.15));  // half way through the warm-up
  CHECK(constant.at(0) == Approx(0.0003));
  CHECK(constant.at(0.2) == Approx(0.3));
  CHECK(constant.at(1) == Approx(0.3));
  Schedule cycle{"one_cycle", 1, 0, 0, 0};
  CHECK(cycle.at(0) == Approx(0.04));
  CHECK(cycle.at(0.3) == Approx(1));
  CHECK(cycle.at(1) == Approx(0).margin(1e-12));
  CHECK_THROWS_WITH((Schedule{"linear", 1, 0, 0, 0}.at(0)), Contains("unknown schedule 'linear'"));
  CHECK(make_schedule(ParamValues(schedule_params())).name == "poly");
}

TEST_CASE("schedules in steps fall where PyTorch's do", "[optim]") {
  // StepLR(step_size = 30, gamma = 0.5) and MultiStepLR(milestones = [30, 80], gamma = 0.1) over 100 steps
  Schedule step{"step", 2, 0, 0, 0};
  step.every = 0.3, step.factor = 0.5;
  Schedule multi{"multi_step", 2, 0, 0, 0};
  multi.milestones = {0.3, 0.8};
  for (int i = 0; i < 100; ++i) {
    INFO(i);
    CHECK(step.at(i / 100.0) == Approx(2 * std::pow(0.5, i / 30)));
    CHECK(multi.at(i / 100.0) == Approx(i < 30 ? 2 : i < 80 ? 0.2 : 0.02));
  }
  step.floor = 0.2;
  CHECK(step.at(0.99) == Approx(0.4));
}

TEST_CASE("the plateau schedule falls after scores that are no better, and its state is a value", "[optim]") {
  Schedule s{"plateau", 1, 0, 0, 0.001};
  s.factor = 0.1, s.patience = 2;
  for (double score : {0.5, 0.6, 0.6, 0.55}) s.observe(score);
  CHECK(s.at(0.5) == 1);  // ReduceLROnPlateau(mode = "max", patience = 2, threshold = 0) falls at the third
  Schedule resumed = s;
  s.observe(0.6);
  CHECK(s.at(0.5) == Approx(0.1));
  resumed.observe(0.61);
  CHECK(resumed.at(0.5) == 1);
  for (int i = 0; i < 30; ++i) s.observe(0.1);
  CHECK(s.at(0.9) == Approx(0.001));
}

TEST_CASE("schedules are chained, each over its own part of the run", "[optim]") {
  ParamValues v(schedule_params());
  v.set(schedule_params(), "name", std::string("chained"), "test");
  v.set(schedule_params(), "learning_rate", 0.4, "test");
  v.set(schedule_params(), "parts", std::vector<std::string>{"0.5 constant", "0.75 cosine 1 0.5", "1 poly 0.5"}, "test");
  const Schedule s = make_schedule(v);
  CHECK(s.at(0.2) == Approx(0.4));
  CHECK(s.at(0.5) == Approx(0.4));
  CHECK(s.at(0.625) == Approx(0.3));
  CHECK(s.at(0.75) == Approx(0.2));
  CHECK(s.at(0.875) == Approx(0.1));
  CHECK(s.at(1) == Approx(0).margin(1e-12));
  const auto refused = [&](std::vector<std::string> parts) {
    v.set(schedule_params(), "parts", std::move(parts), "test");
    CHECK_THROWS_WITH(make_schedule(v), Contains("schedule.parts"));
  };
  refused({"0.5 constant"});
  refused({"0.5 constant", "0.4 cosine", "1 poly"});
  refused({"0.5 cosin", "1 poly"});
  refused({"half constant"});
  refused({"1 cosine 0.1 1"});
}

TEST_CASE("a step between a forward pass and its backward pass is refused by the optimiser's name", "[optim]") {
  Two m = two();
  auto o = make_sgd(m, {});
  Tensor late = sum(square(m.w));
  set_gradients(m, 1);
  o->begin_step(0.1);
  o->step();
  CHECK_THROWS_WITH(late.backward(), Contains("the gradient of 'square' needs f32[7] cpu, which was written by 'optimiser.sgd'"));
  CHECK_NOTHROW(sum(square(m.w)).backward());
}

TEST_CASE("a gradient that does not fit its parameter reaches no kernel", "[optim]") {
  Two m = two();
  CHECK_THROWS_WITH(m.w.set_grad(Tensor::zeros({1})), Contains("set_grad: gradient f32[1] cpu given for f32[7] cpu"));
  CHECK_THROWS_WITH(m.w.set_grad(Tensor::zeros({7}, DType::i64)), Contains("set_grad: gradient i64[7] cpu given for f32[7] cpu"));
}
