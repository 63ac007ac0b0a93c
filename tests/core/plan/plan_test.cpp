#include <catch2/catch.hpp>
#include <cstring>
#include <thread>

#include "tenon/autograd.hpp"
#include "tenon/error.hpp"
#include "tenon/nn/module.hpp"
#include "tenon/ops.hpp"
#include "tenon/optim.hpp"
#include "tenon/plan.hpp"
#include "tenon/random.hpp"
#include "tenon/storage.hpp"

using namespace tenon;
using Catch::Matchers::Contains;
using Values = std::vector<double>;

namespace {

/// A two-layer perceptron from elementwise ops and sums.
class Perceptron : public nn::Module {
 public:
  Perceptron() {
    first = add_parameter("first", {16, 5}, {Init::Kind::normal, 0.4});
    bias = add_parameter("bias", {16}, {});
    second = add_parameter("second", {1, 16}, {Init::Kind::normal, 0.3});
    initialise(5);
  }
  Tensor forward(const Tensor& x) override {
    Tensor hidden = tanh(sum(x.unsqueeze(1) * first, {2}) + bias);
    return sum(hidden.unsqueeze(1) * second, {2});
  }
  Tensor first, bias, second;
};

/// Writes this step's batch.
void fill(const Tensor& x, const Tensor& y, int step) {
  Random random(9, std::uint64_t(step));
  for (std::int64_t i = 0; i < x.numel(); ++i) x.data<float>()[i] = random.normal(std::uint64_t(i));
  for (std::int64_t i = 0; i < y.numel(); ++i) y.data<float>()[i] = std::sin(x.data<float>()[i * 5] * 2);
}

std::unique_ptr<Optimiser> optimiser_of(nn::Module& m, bool adam) {
  if (adam) return make_adamw(m, {.weight_decay = 0.02, .clip = 1});
  return make_sgd(m, {.momentum = 0.9, .weight_decay = 1e-3, .clip = 0.5, .nesterov = true});
}

double rate(int step) {
  return 0.05 / (1 + step);
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.raw(), b.raw(), a.nbytes()) == 0;
}

}  // namespace

TEST_CASE("replayed training equals eager training bit for bit", "[plan]") {
  for (bool adam : {false, true}) {
    Perceptron eager, planned;
    auto eager_optimiser = optimiser_of(eager, adam), planned_optimiser = optimiser_of(planned, adam);
    Tensor x = Tensor::zeros({8, 5}), y = Tensor::zeros({8, 1}), loss;
    StepPlan plan = StepPlan::record([&] {
      loss = mean(square(planned(x) - y));
      loss.backward();
      planned_optimiser->step();
      loss = loss.detach();
    });
    CHECK(planned_optimiser->steps() == 0);
    for (int step = 0; step < 12; ++step) {
      fill(x, y, step);
      eager_optimiser->begin_step(rate(step));
      Tensor eager_loss = mean(square(eager(x) - y));
      eager_loss.backward();
      eager_optimiser->step();
      planned_optimiser->begin_step(rate(step));
      plan.run();
      INFO("step " << step);
      CHECK(loss.item() == eager_loss.item());
      CHECK(same_bits(planned_optimiser->gradient_norm(), eager_optimiser->gradient_norm()));
      auto a = eager.parameters(), b = planned.parameters();
      for (std::size_t i = 0; i < a.size(); ++i) CHECK(same_bits(a[i].second, b[i].second));
    }
    CHECK(plan.arena_bytes() < plan.unshared_bytes());
    CHECK(plan.launches() > 10);
  }
}

TEST_CASE("replay allocates nothing", "[plan]") {
  Tensor x = Tensor::full({100}, 0.5), out;
  StepPlan plan = StepPlan::record([&] { out = sum(exp(tanh(x)) * x); });
  plan.run();
  const auto before = allocator(DeviceType::cpu).stats();
  for (int i = 0; i < 5; ++i) plan.run();
  CHECK(allocator(DeviceType::cpu).stats().allocations == before.allocations);
}

TEST_CASE("what the caller holds is renewed on each run, constants stay", "[plan]") {
  Tensor x = Tensor::zeros({3}), kept, view, never_used;
  StepPlan plan = StepPlan::record([&] {
    Tensor constant = Tensor::from(std::vector<float>{1, 2, 3}, {3});
    kept = x * constant + 1.0;
    view = (kept * 2.0).narrow(0, 1, 2);
    never_used = Tensor::empty({1000});
  });
  for (double v : {1.0, 5.0, -2.0}) {
    x.fill(v);
    plan.run();
    CHECK(kept.to_vector() == Values{v + 1, 2 * v + 1, 3 * v + 1});
    CHECK(view.to_vector() == Values{4 * v + 2, 6 * v + 2});
  }
  CHECK(never_used.raw() != nullptr);
}

TEST_CASE("a plan keeps its inputs and outputs alive and outlives the caller's tensors", "[plan]") {
  StepPlan plan;
  std::weak_ptr<Storage> input;
  Tensor target = Tensor::zeros({2});
  {
    Tensor x = Tensor::full({2}, 3), dropped;
    input = x.storage();
    plan = StepPlan::record([&] {
      dropped = x * 2.0;
      target.assign(dropped);
    });
  }
  CHECK_FALSE(input.expired());
  plan.run();
  CHECK(target.to_vector() == Values{6, 6});
  plan = StepPlan();
  CHECK(input.expired());
}

TEST_CASE("gradients left on leaves are renewed, not added to, by replay", "[plan]") {
  Tensor x = Tensor::full({2}, 3);
  x.set_requires_grad();
  StepPlan plan = StepPlan::record([&] { sum(square(x)).backward(); });
  for (double v : {1.0, 4.0}) {
    x.fill(v);
    plan.run();
    CHECK(x.grad().to_vector() == Values{2 * v, 2 * v});
  }
}

TEST_CASE("reading values while recording is an error", "[plan]") {
  Tensor outside = Tensor::full({1}, 2, DType::f64), x = Tensor::full({1}, 2);
  CHECK_THROWS_WITH(StepPlan::record([&] { (x * 2.0).item(); }),
                    Contains("Tensor::item: values are not known while a step is being recorded") && Contains("StepPlan::run"));
  // a tensor from before the step has values, but they would be frozen into the plan
  CHECK_THROWS_WITH(StepPlan::record([&] { outside.item(); }), Contains("Tensor::item"));
  CHECK_THROWS_WITH(StepPlan::record([&] { outside.data<double>(); }), Contains("Tensor::data"));
  CHECK_THROWS_WITH(StepPlan::record([&] { x.to_vector(); }), Contains("Tensor::to_vector"));
  CHECK_THROWS_WITH(StepPlan::record([&] { exp(x).data<float>(); }), Contains("while a step is being recorded"));
  CHECK_FALSE(is_recording());
  CHECK(outside.item() == 2);
}

TEST_CASE("recordings do not nest and plans are not part of plans", "[plan]") {
  Tensor x = Tensor::full({1}, 2), y;
  StepPlan inner = StepPlan::record([&] { y = x * 3.0; });
  CHECK_THROWS_WITH(StepPlan::record([&] { StepPlan::record([] {}); }), Contains("already being recorded"));
  CHECK_THROWS_WITH(StepPlan::record([&] { inner.run(); }), Contains("a plan cannot be part of another"));
  CHECK_FALSE(is_recording());
  CHECK_THROWS_WITH(StepPlan().run(), Contains("no step was recorded"));
  CHECK_FALSE(StepPlan().defined());
  CHECK_THROWS_WITH(StepPlan().explain(), Contains("StepPlan::explain: no step was recorded") && Contains("StepPlan::record"));
  CHECK_THROWS_WITH(StepPlan().arena_bytes(), Contains("StepPlan::arena_bytes: no step was recorded"));
  CHECK_THROWS_WITH(StepPlan().arena_use(), Contains("StepPlan::arena_use"));
  CHECK_THROWS_WITH(StepPlan().unshared_bytes(), Contains("StepPlan::unshared_bytes"));
  CHECK_THROWS_WITH(StepPlan().launches(), Contains("StepPlan::launches"));
  CHECK_THROWS_WITH(StepPlan().profile(), Contains("no step was recorded"));
  CHECK_THROWS_WITH(StepPlan::record({}), Contains("StepPlan::record: no step was given"));
  // after a nested attempt that was caught, the outer recording goes on
  Tensor z;
  StepPlan outer = StepPlan::record([&] {
    CHECK_THROWS(StepPlan::record([] {}));
    CHECK(is_recording());
    z = x + 1.0;
  });
  outer.run();
  CHECK(z.item() == 3);
}

TEST_CASE("a failure inside the step leaves the thread and older tensors usable", "[plan]") {
  Tensor x = Tensor::full({2}, 2), leaked;
  CHECK_THROWS_WITH(StepPlan::record([&] {
                      leaked = x * 2.0;
                      add(x, Tensor::zeros({3}));
                    }),
                    Contains("do not broadcast"));
  CHECK_FALSE(is_recording());
  CHECK((x * 2.0).to_vector() == Values{4, 4});
  CHECK_THROWS_WITH(leaked.to_vector(), Contains("was made in a recorded step that did not finish"));
  Tensor out;
  StepPlan plan = StepPlan::record([&] { out = x * 5.0; });
  plan.run();
  CHECK(out.to_vector() == Values{10, 10});
}

TEST_CASE("recording is per thread", "[plan]") {
  Tensor x = Tensor::full({2}, 2), y;
  double elsewhere = 0;
  StepPlan plan = StepPlan::record([&] {
    y = x * 2.0;
    std::thread([&] { elsewhere = (x * 3.0).to_vector()[0]; }).join();
  });
  CHECK(elsewhere == 6);
  CHECK(plan.launches() == 1);
}

TEST_CASE("an undefined operand is refused while recording too", "[plan]") {
  CHECK_THROWS_AS(StepPlan::record([] { Tensor().clone(); }), Error);
  CHECK_FALSE(is_recording());
}

TEST_CASE("explain lists launches and profile times them", "[plan]") {
  Tensor x = Tensor::full({4, 3}, 2), out;
  StepPlan plan = StepPlan::record([&] { out = sum(exp(x) * x, {0}); });
  const std::string text = plan.explain();
  CHECK_THAT(text, Contains("0\texp+mul\t f32[4, 3] -> f32[4, 3]@") && Contains("1\tsum\t") && Contains("# fused: 1 x exp+mul: one pass over the elements\n"));
  auto times = plan.profile();
  REQUIRE(times.size() == plan.launches());
  CHECK(times[0].first == "exp+mul");
  for (auto& [name, seconds] : times) CHECK(seconds >= 0);
  CHECK(out.to_vector()[0] == Approx(4 * 2 * std::exp(2.0)));
}

TEST_CASE("explain counts the kernels that do several ops in one pass", "[plan]") {
  Tensor x = Tensor::full({4, 3}, 2), w = Tensor::full({5, 3}, 1), b = Tensor::full({5}, 1), out;
  const std::string text = StepPlan::record([&] { out = softmax(linear(linear(x, w, b), Tensor::full({2, 5}, 1)), -1); }).explain();
  CHECK_THAT(text, Contains("# fused: 2 x linear: product and bias\n") && Contains("# fused: 1 x softmax: "));
  CHECK(StepPlan::record([&] { out = exp(x); }).explain().find("# fused") == std::string::npos);
}

TEST_CASE("moving a plan moves it", "[plan]") {
  Tensor x = Tensor::full({1}, 2), out;
  StepPlan a = StepPlan::record([&] { out = x * 2.0; });
  StepPlan b = std::move(a);
  b.run();
  CHECK(out.item() == 4);
  CHECK_FALSE(a.defined());  // NOLINT: a moved-from plan is empty
  StepPlan nothing = StepPlan::record([] {});
  nothing.run();
  CHECK(nothing.launches() == 0);
}

TEST_CASE("a result that the caller holds has no values before the first run", "[plan]") {
  Tensor x = Tensor::full({2}, 2), out;
  StepPlan plan = StepPlan::record([&] { out = x * 2.0; });
  CHECK_THROWS_WITH(out.to_vector(), Contains("Tensor::data: the tensor f32[2] cpu is the result of a recorded step that has not run yet") && Contains("StepPlan::run"));
  CHECK_THROWS_WITH(out.data<float>(), Contains("has not run yet"));
  CHECK_THROWS_WITH(out + 1.0, Contains("has not run yet"));
  // another step may be recorded over it
  Tensor next;
  StepPlan then = StepPlan::record([&] { next = out + 1.0; });
  plan.run();
  CHECK(out.to_vector() == Values{4, 4});
  then.run();
  CHECK(next.to_vector() == Values{5, 5});
}

TEST_CASE("a replayed step counts as a write of what it changes, and not of what it makes", "[plan]") {
  Perceptron m;
  auto optimiser = optimiser_of(m, false);
  Tensor x = Tensor::full({3, 5}, 0.5), loss;
  const StepPlan plan = StepPlan::record([&] {  // inside, the optimiser writes after the backward pass has read
    loss = sum(square(m.forward(x)));
    loss.backward();
    optimiser->step();
  });
  optimiser->begin_step(0.01);
  CHECK_NOTHROW(plan.run());
  Tensor before = sum(square(m.forward(x)));
  optimiser->begin_step(0.01);
  plan.run();
  CHECK_THROWS_WITH(before.backward(), Contains("written by 'StepPlan::run'"));
  CHECK_NOTHROW(sum(square(m.forward(x))).backward());
  // a history that was recorded reads what the replay made
  Tensor w = Tensor::full({2}, 3), out;
  w.set_requires_grad();
  const StepPlan forward = StepPlan::record([&] { out = sum(exp(w) * exp(w)); });
  forward.run();
  CHECK_NOTHROW(out.backward());
  CHECK(w.grad().to_vector()[0] == Approx(2 * std::exp(6.0)));
}
