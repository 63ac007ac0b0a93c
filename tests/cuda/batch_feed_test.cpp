// Batches on their way to the device, and steps that take them ahead.
#include <catch2/catch.hpp>

#include "backend/backend.hpp"
#include "core/train/wave.hpp"
#include "cuda/device.hpp"
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

/// Weights, and losses of every step, of a training on the device.
std::vector<std::vector<double>> trained(bool ragged, std::int64_t accumulate, bool ahead, Device device) {
  DeviceScope on(device);
  Wave task(11, DType::f32, ragged);
  Net net;
  auto optimiser = make_adamw(net, {.clip = 1});
  StepRunner runner(task, net, *optimiser, accumulate, nullptr, 0, device);
  BatchLoader loader(
      task.batch_spec(), 0, 2, 2, [&](std::int64_t index, std::vector<Tensor>& batch) { task.fill_batch(index, Random(0, 0), batch); },
      [&](const TensorSpec& s) { return runner.host_tensor(s); });
  StepRunner::Batches batches{[&]() -> const std::vector<Tensor>& { return loader.next(); }};
  if (ahead) batches.ready = [&] { return loader.next_if_ready(); };
  std::vector<std::vector<double>> all;
  for (std::int64_t step = 0; step < 16; ++step) {
    runner.run(0.01, step, batches, step < 15);
    all.push_back({runner.losses()[0].second, runner.losses()[1].second});
  }
  for (const auto& [name, t] : net.parameters()) all.push_back(t.to_vector());
  return all;
}

}  // namespace

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

TEST_CASE("steps that take batches ahead give the same bits", "[batch_feed]") {
  TENON_NEEDS_DEVICE();
  for (const bool ragged : {false, true})
    for (const std::int64_t accumulate : {1, 3}) {
      INFO((ragged ? "ragged, " : "") << accumulate);
      const auto plain = trained(ragged, accumulate, false, kDevice), ahead = trained(ragged, accumulate, true, kDevice), cpu = trained(ragged, accumulate, false, kCpu);
      CHECK(ahead == plain);
      REQUIRE(cpu.size() == plain.size());
      for (std::size_t i = 0; i < cpu.size(); ++i)
        for (std::size_t k = 0; k < cpu[i].size(); ++k) CHECK(plain[i][k] == Approx(cpu[i][k]).epsilon(1e-3).margin(1e-3));
    }
  end_run();
}
