// The stand-in's streams find copies that nothing waited for, and the log says why a step is no graph.
#include <catch2/catch.hpp>

#include <algorithm>

#include "core/train/wave.hpp"
#include "cuda/device.hpp"
#include "cuda_on_cpu/runtime/memory.hpp"
#include "cuda_on_cpu/runtime/work.hpp"
#include "cuda_runtime.h"
#include "tenon/device_stream.hpp"
#include "train/step_runner.hpp"

using namespace train_test;
using namespace tenon::cuda::on_cpu;
using Catch::Matchers::Contains;

namespace {

/// Two blocks of device memory, one of pinned memory, a stream beside the backend's, an event of each.
struct Stage {
  Stage() : main(cudaStream_t(tenon::device_stream(DeviceType::cuda))) {
    cudaStreamCreate(&other);
    cudaEventCreate(&ready);
    cudaEventCreate(&copied);
    cudaMallocHost(&host, sizeof(int));
    cudaMallocAsync(&buffer, sizeof(int), main);
    cudaMallocAsync(&input, sizeof(int), main);
    *host = 1;
    cudaEventRecord(ready, main);
  }
  ~Stage() {
    cudaStreamDestroy(other);
    cudaEventDestroy(ready);
    cudaEventDestroy(copied);
    if (host) cudaFreeHost(host);
    if (buffer) cudaFreeAsync(buffer, main);
    cudaFreeAsync(input, main);
    damaged_guards();
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  void send() {
    cudaMemcpyAsync(buffer, host, sizeof(int), cudaMemcpyHostToDevice, other);
    cudaEventRecord(copied, other);
  }
  static int value(const int* device) {
    const Open open;
    return *device;
  }
  void deliver() { cudaMemcpyAsync(input, buffer, sizeof(int), cudaMemcpyDeviceToDevice, main); }

  cudaStream_t main, other = nullptr;
  cudaEvent_t ready = nullptr, copied = nullptr;
  int *host = nullptr, *buffer = nullptr, *input = nullptr;
};

}  // namespace

TEST_CASE("copies on another stream are made when something waits for them", "[cuda_on_cpu][streams]") {
  REQUIRE(under_test::has_device());
  Stage s;
  cudaStreamWaitEvent(s.other, s.ready);
  for (int k = 0; k < 3; ++k) {
    s.send();
    CHECK(cudaEventQuery(s.copied) == cudaErrorNotReady);
    cudaStreamWaitEvent(s.main, s.copied);
    CHECK(cudaEventQuery(s.copied) == cudaSuccess);
    s.deliver();
    CHECK(s.value(s.input) == k + 1);
    cudaEventRecord(s.ready, s.main);
    cudaStreamWaitEvent(s.other, s.ready);
    *s.host = k + 2;
  }
  CHECK(damaged_guards().empty());
  s.send();
  *s.host = 9;  // before the copy was waited for
  cudaEventSynchronize(s.copied);
  CHECK(s.value(s.buffer) == 9);
}

TEST_CASE("a wait that is missing is found", "[cuda_on_cpu][streams]") {
  REQUIRE(under_test::has_device());
  {
    Stage s;
    s.send();
    CHECK_THAT(damaged_guards(), Contains("does not wait for what the first one does"));  // the memory is not there yet
  }
  {
    Stage s;
    cudaStreamWaitEvent(s.other, s.ready);
    s.send();
    s.deliver();
    CHECK_THAT(damaged_guards(), Contains("memory was read before the copy of another stream was waited for"));
    s.send();
    CHECK_THAT(damaged_guards(), Contains("does not wait for what the first one does"));  // it may still be read
  }
  {
    Stage s;
    cudaStreamWaitEvent(s.other, s.ready);
    s.send();
    cudaFreeHost(s.host);
    s.host = nullptr;
    CHECK_THAT(damaged_guards(), Contains("memory was given back before the copy of another stream was waited for"));
  }
  {
    Stage s;
    cudaStreamWaitEvent(s.other, s.ready);
    s.send();
    cudaFreeAsync(s.buffer, s.main);
    s.buffer = nullptr;
    CHECK_THAT(damaged_guards(), Contains("memory was given back before the copy of another stream was waited for"));
  }
}

TEST_CASE("why a step is not one graph is said once", "[cuda_on_cpu][train]") {
  REQUIRE(under_test::has_device());
  struct NoGraphs {
    NoGraphs() { set_graphs(false); }
    ~NoGraphs() { set_graphs(true); }
  } none;
  DeviceScope on(under_test::kDevice);
  Wave task(6, DType::f32, true);
  Net net;
  auto optimiser = make_adamw(net, {});
  StepRunner runner(task, net, *optimiser, 1, nullptr, 0, under_test::kDevice);
  std::vector<Tensor> batch{runner.host_tensor({"x", {6, 4}})}, filled;
  std::vector<std::string> said;
  for (std::int64_t step = 0; step < 12; ++step) {
    runner.run(0.01, step, {[&]() -> const std::vector<Tensor>& {
      filled = batch;
      task.fill_batch(step, Random(0, 0), filled);
      return filled;
    }});
    for (const std::string& text : runner.news()) said.push_back(text);
  }
  CHECK(runner.passes().recorded() > 1);
  CHECK(runner.pass().replay_note() == "launched one by one: capture did not begin: cudaErrorNotSupported");
  CHECK(std::count(said.begin(), said.end(), "the step is " + runner.pass().replay_note()) == 1);
  CHECK(said.size() == runner.passes().recorded() + 1);
}
