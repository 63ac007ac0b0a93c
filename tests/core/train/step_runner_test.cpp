#include "train/step_runner.hpp"

#include <catch2/catch.hpp>

#include "core/train/wave.hpp"
#include "tenon/error.hpp"
#include "tenon/storage.hpp"

using namespace train_test;

namespace {

/// A training of some steps over batches in order.
struct Training {
  Training(std::int64_t batch, std::int64_t accumulate, std::unique_ptr<LossScale> loss_scale = {})
      : task(batch, loss_scale ? DType::f16 : DType::f32), optimiser(make_adamw(net, {.clip = 1})), scale(std::move(loss_scale)),
        runner(task, net, *optimiser, accumulate, scale.get(), 0, kCpu), held{Tensor::empty({batch, 4})} {}
  bool step() {
    const auto next = [&]() -> const std::vector<Tensor>& {
      task.fill_batch(taken++, Random(0, 0), held);
      if (spoil) held[0].fill(6e4);  // squares and products of it overflow in f16
      return held;
    };
    return runner.run(0.01, steps++, {next});
  }
  std::vector<std::vector<double>> all() const {
    std::vector<std::vector<double>> out;
    for (const auto& [name, t] : net.parameters()) out.push_back(t.to_vector());
    for (const auto& [name, t] : optimiser->state()) out.push_back(t.to_vector());
    return out;
  }
  Wave task;
  Net net;
  std::unique_ptr<Optimiser> optimiser;
  std::unique_ptr<LossScale> scale;
  StepRunner runner;
  std::vector<Tensor> held;
  std::int64_t taken = 0, steps = 0;
  bool spoil = false;
};

}  // namespace

TEST_CASE("accumulated passes are a step of one large batch, up to rounding", "[train][accumulate]") {
  Training large(8, 1), parts(2, 4);
  for (int k = 0; k < 10; ++k) {
    large.step();
    parts.step();
    CHECK(parts.runner.losses()[0].second == Approx(large.runner.losses()[0].second).epsilon(1e-5));
    CHECK(parts.optimiser->gradient_norm().item() == Approx(large.optimiser->gradient_norm().item()).epsilon(1e-4));
  }
  CHECK(parts.taken == 40);
  CHECK(parts.optimiser->steps() == 10);
  const auto a = large.net.first->weight.to_vector(), b = parts.net.first->weight.to_vector();
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(b[i] == Approx(a[i]).margin(2e-4));
}

TEST_CASE("accumulation takes the memory of one pass, and a replayed step none at all", "[train][accumulate]") {
  for (const std::int64_t accumulate : {1, 4}) {
    Training t(16, accumulate);
    CHECK(t.runner.pass().arena_bytes() <= Training(16, 1).runner.pass().arena_bytes());
    t.step();
    const auto before = allocator(DeviceType::cpu).stats();
    for (int k = 0; k < 5; ++k) t.step();
    CHECK(allocator(DeviceType::cpu).stats().allocations == before.allocations);
    CHECK(allocator(DeviceType::cpu).stats().in_use == before.in_use);
  }
  Training f16(16, 2, std::make_unique<LossScale>());
  f16.step();
  const auto before = allocator(DeviceType::cpu).stats();
  for (int k = 0; k < 5; ++k) f16.step();
  CHECK(allocator(DeviceType::cpu).stats().allocations == before.allocations);
}

TEST_CASE("a step whose gradients overflow changes nothing but the scale", "[train][loss_scale]") {
  Training t(4, 2, std::make_unique<LossScale>(LossScaleOptions{.initial = 1024, .interval = 3}));
  Training without(4, 2, std::make_unique<LossScale>(LossScaleOptions{.initial = 1024, .interval = 3}));
  for (int k = 0; k < 4; ++k) {
    CHECK(t.step());
    CHECK(without.step());
  }
  CHECK(t.scale->value() == 2048);  // three good steps
  const auto before = t.all();
  t.spoil = true;
  CHECK_FALSE(t.step());
  t.spoil = false;
  CHECK(t.all() == before);
  CHECK(t.scale->value() == 1024);
  CHECK(t.scale->state().good == 0);
  without.taken += 2;  // the batches of the step that was left out
  for (int k = 0; k < 2; ++k) {
    CHECK(t.step());
    without.step();
  }
  CHECK(t.optimiser->steps() == 6);
  const auto a = t.net.first->weight.to_vector(), b = without.net.first->weight.to_vector();
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == Approx(b[i]).margin(1e-3));
}

TEST_CASE("f16 learns what f32 learns", "[train][loss_scale]") {
  Training half(16, 1, std::make_unique<LossScale>()), full(16, 1);
  double last_half = 0, last_full = 0;
  for (int k = 0; k < 150; ++k) {
    half.step();
    full.step();
    last_half = half.runner.losses()[0].second, last_full = full.runner.losses()[0].second;
  }
  CHECK(last_full < 0.05);
  CHECK(last_half < 0.05);
  CHECK(half.scale->value() > 1);
}

TEST_CASE("the plan is explained: launches, arena by use", "[train]") {
  Training t(4, 2);
  const std::string text = t.runner.explain();
  CHECK(text.find("launches, arena") != std::string::npos);
  CHECK(text.find("activations") != std::string::npos);
  CHECK(text.find("# update, after 2 passes") != std::string::npos);
  CHECK(text.find("gradient_sum.add") != std::string::npos);
  CHECK(text.find("optimiser.adamw") != std::string::npos);
}
