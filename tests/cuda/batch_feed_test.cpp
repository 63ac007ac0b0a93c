// Batches on their way to the device, and steps that take them ahead.
#include <catch2/catch.hpp>
#include <cmath>

#include "backend/backend.hpp"
#include "core/train/wave.hpp"
#include "cuda/device.hpp"
#include "tenon/error.hpp"
#include "tenon/indexing.hpp"
#include "tenon/ops.hpp"
#include "train/loader.hpp"
#include "train/step_runner.hpp"

using namespace under_test;
using namespace train_test;

namespace {

std::vector<double> counted(std::int64_t n, double from) {
  std::vector<double> v;
  for (std::int64_t i = 0; i < n; ++i) v.push_back(from + double(i));
  return v;
}

void fill(const Tensor& t, double from) {
  for (std::int64_t i = 0; i < t.numel(); ++i) t.data<float>()[i] = float(from + double(i));
}

enum class Order { plain, batches_ahead, steps_ahead };

/// Weights, and losses and gradient norms of every step, of a training on the device. `early`: steps that were started before the one before was finished.
std::vector<std::vector<double>> trained(bool ragged, std::int64_t accumulate, Order order, Device device, int& early) {
  DeviceScope on(device);
  Wave task(11, DType::f32, ragged);
  Net net;
  auto optimiser = make_adamw(net, {.clip = 1});
  StepRunner runner(task, net, *optimiser, accumulate, nullptr, 0, device);
  BatchLoader loader(
      task.batch_spec(), 0, 2, 2, [&](std::int64_t index, std::vector<Tensor>& batch) { task.fill_batch(index, Random(0, 0), batch); },
      [&](const TensorSpec& s) { return runner.host_tensor(s); });
  StepRunner::Batches batches{[&]() -> const std::vector<Tensor>& { return loader.next(); }};
  if (order == Order::batches_ahead) batches.ready = [&] { return loader.next_if_ready(); };
  if (order == Order::steps_ahead) batches.ready = [&] { return &loader.next(); };
  std::vector<std::vector<double>> all;
  for (std::int64_t step = 0; step < 16; ++step) {
    if (runner.started() == 0) runner.start(0.01, step, batches, step < 15);
    if (order == Order::steps_ahead && step < 15 && runner.may_start_next(batches)) {
      runner.start(0.01, step + 1, batches, step < 14);
      ++early;
    }
    CHECK(runner.finish());
    all.push_back({runner.losses()[0].second, runner.losses()[1].second, runner.gradient_norm()});
  }
  for (const auto& [name, t] : net.parameters()) all.push_back(t.to_vector());
  return all;
}

/// Its rows are picked by indices, of which those of the eighth batch are outside; it also counts something.
struct Picked : Wave {
  using Wave::Wave;
  std::vector<TensorSpec> batch_spec() const override { return {{"x", {11, 4}}, {"rows", {8}, DType::i64}}; }
  void fill_batch(std::int64_t index, const Random&, std::vector<Tensor>& batch) const override {
    for (std::int64_t i = 0; i < batch[0].numel(); ++i) batch[0].data<float>()[i] = float(std::sin(1.0 + double(index * 44 + i)));
    for (std::int64_t k = 0; k < 8; ++k) batch[1].data<std::int64_t>()[k] = index == 7 && k == 3 ? 99 : k;
  }
  std::vector<std::pair<std::string, Tensor>> loss(nn::Module& model, const std::vector<Tensor>& batch) override {
    const Tensor x = index_select(batch[0], 0, batch[1]);
    return {{"loss", mean(square(model(x) - sum(x, {1}, true)))}, {"rows", sum(batch[1])}, {"positive", sum(greater(x, Tensor::zeros(Shape{})).to(DType::i32))}};
  }
};

}  // namespace

TEST_CASE("what a step's kernels refuse is told at that step, though it was started early, and counts are logged", "[batch_feed]") {
  TENON_NEEDS_DEVICE();
  for (const bool early : {false, true}) {
    DeviceScope on(kDevice);
    Picked task(8);
    Net net;
    auto optimiser = make_adamw(net, {.clip = 1});
    StepRunner runner(task, net, *optimiser, 1, nullptr, 0, kDevice);
    BatchLoader loader(
        task.batch_spec(), 0, 2, 2, [&](std::int64_t index, std::vector<Tensor>& batch) { task.fill_batch(index, Random(0, 0), batch); },
        [&](const TensorSpec& s) { return runner.host_tensor(s); });
    const StepRunner::Batches batches{[&]() -> const std::vector<Tensor>& { return loader.next(); }, [&] { return &loader.next(); }};
    std::int64_t finished = 0;
    std::string code;
    try {
      for (std::int64_t step = 0; step < 12; ++step) {
        if (runner.started() == 0) runner.start(0.01, step, batches);
        if (early && runner.may_start_next(batches)) runner.start(0.01, step + 1, batches);
        runner.finish();
        ++finished;
        CHECK(runner.losses()[1].second == 28);
        CHECK(runner.losses()[2].second > 0);
        CHECK(runner.losses()[2].second == std::floor(runner.losses()[2].second));
      }
    } catch (const Error& e) {
      code = e.code();
    }
    CHECK(code == "index.out_of_range");
    CHECK(finished == 7);
  }
  struct Rows : Wave {
    using Wave::Wave;
    std::vector<std::pair<std::string, Tensor>> loss(nn::Module& model, const std::vector<Tensor>& batch) override {
      auto all = Wave::loss(model, batch);
      all.emplace_back("rows", model(batch[0]));
      return all;
    }
  } rows(4);
  Net net;
  auto optimiser = make_adamw(net, {});
  CHECK_THROWS_WITH(StepRunner(rows, net, *optimiser, 1, nullptr, 0, kCpu), Catch::Matchers::Contains("'rows' is f32[4, 1] cpu, not one number"));
  end_run();
}

TEST_CASE("what is sent while the device works arrives when it is delivered", "[batch_feed]") {
  TENON_NEEDS_DEVICE();
  auto feed = make_batch_feed(kDevice.type);
  REQUIRE(feed);
  std::vector<Tensor> batch{feed->host_tensor({50, 4}, DType::f32), feed->host_tensor({3}, DType::f32), feed->host_tensor({0}, DType::f32)};
  const std::vector<Tensor> inputs{Tensor::zeros({50, 4}, DType::f32, kDevice), Tensor::zeros({3}, DType::f32, kDevice), Tensor::zeros({0}, DType::f32, kDevice)};
  for (int k = 0; k < 4; ++k) {
    for (const Tensor& t : batch) fill(t, 100 * k);
    feed->send(batch);
    if (k > 0) {
      CHECK(inputs[0].to_vector() == counted(200, 100 * (k - 1)));
    }
    feed->deliver(inputs);
    feed->settle();
    CHECK(inputs[1].to_vector() == counted(3, 100 * k));
  }
  CHECK(inputs[0].to_vector() == counted(200, 300));

  // smaller ones, larger ones, and ordinary memory, which may be written as soon as send() returns
  const Tensor few = batch[0].narrow(0, 1, 5), many = Tensor::zeros({900}), small = Tensor::zeros({5, 4}, DType::f32, kDevice), large = Tensor::zeros({900}, DType::f32, kDevice);
  feed->send({few});
  feed->settle();
  feed->deliver({small});
  CHECK(small.to_vector() == counted(20, 304));
  fill(many, 7);
  feed->send({many});
  feed->settle();
  fill(many, 0);
  feed->deliver({large});
  CHECK(large.to_vector() == counted(900, 7));
  feed->send({batch[1]});
  feed->settle();
  fill(batch[1], 1);  // read by now
  feed->deliver({inputs[1]});
  CHECK(inputs[1].to_vector() == counted(3, 300));
  feed->send({many});
  feed->send({batch[1]});  // in place of the former
  feed->deliver({inputs[1]});
  CHECK(inputs[1].to_vector() == counted(3, 1));

  feed->send(batch);  // never delivered
  batch.clear();      // as where a run ends by an error: the memory waits for the copy
  end_run();
  batch.push_back(feed->host_tensor({3}, DType::f32));
  fill(batch[0], 0);
  feed->send(batch);
  feed.reset();
  end_run();
}

TEST_CASE("scalars are taken down in order with the device's work, and come when asked for", "[batch_feed]") {
  TENON_NEEDS_DEVICE();
  auto feed = make_batch_feed(kDevice.type);
  Tensor wide = Tensor::zeros({}, DType::f64, kDevice), half = Tensor::zeros({1}, DType::f16, kDevice), single = Tensor::zeros({1, 1}, DType::f32, kDevice), brain = Tensor::zeros({}, DType::bf16, kDevice);
  std::vector<double> got{7};
  for (int round = 0; round < 3; ++round) {
    for (int k = 0; k < 5; ++k) {
      wide.fill(k + 0.1);
      half.fill(k);
      single.fill(k + 0.5);
      brain.fill(-k);
      feed->fetch({wide, half, single, brain});
      if (k == 2) feed->fetch({});
    }
    for (int k = 0; k < 5; ++k) {
      feed->collect(got);
      CHECK(got == std::vector<double>{k + 0.1, double(k), k + 0.5, double(-k)});
      if (k == 2) {
        feed->collect(got);
        CHECK(got.empty());
      }
    }
  }
  CHECK_THROWS(feed->collect(got));
  CHECK_THROWS(feed->fetch({Tensor::zeros({2}, DType::f32, kDevice)}));
  CHECK_THROWS(feed->fetch({Tensor::zeros({1}, DType::i32, kDevice)}));
  CHECK_THROWS(feed->fetch({Tensor::zeros({1})}));
  feed->fetch({wide});  // never collected
  feed.reset();
  end_run();
}

TEST_CASE("steps that take batches ahead, or are started before the last one's losses are read, give the same bits", "[batch_feed][slow]") {
  TENON_NEEDS_DEVICE();
  for (const bool ragged : {false, true})
    for (const std::int64_t accumulate : {1, 3}) {
      INFO((ragged ? "ragged, " : "") << accumulate);
      int early = 0, none = 0;
      const auto plain = trained(ragged, accumulate, Order::plain, kDevice, none), cpu = trained(ragged, accumulate, Order::plain, kCpu, none);
      CHECK(trained(ragged, accumulate, Order::batches_ahead, kDevice, none) == plain);
      CHECK(trained(ragged, accumulate, Order::steps_ahead, kDevice, early) == plain);
      CHECK((accumulate > 1 ? early == 0 : ragged ? early > 0 : early == 15));
      CHECK(trained(ragged, accumulate, Order::steps_ahead, kCpu, none) == cpu);
      CHECK(none == 0);
      REQUIRE(cpu.size() == plain.size());
      for (std::size_t i = 0; i < cpu.size(); ++i)
        for (std::size_t k = 0; k < cpu[i].size(); ++k) CHECK(plain[i][k] == Approx(cpu[i][k]).epsilon(1e-3).margin(1e-3));
    }
  end_run();
}
