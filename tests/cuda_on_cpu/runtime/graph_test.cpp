// The stand-in's graphs do again what was recorded, and refuse what CUDA refuses to a stream that is captured; the backend's steps are graphs.
#include <catch2/catch.hpp>

#include <functional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "backend/backend.hpp"
#include "core/ops/gradient_check.hpp"
#include "core/train/wave.hpp"
#include "cuda/device.hpp"
#include "cuda_on_cpu/runtime/memory.hpp"
#include "cuda_on_cpu/runtime/work.hpp"
#include "cuda_runtime.h"
#include "tenon/device_stream.hpp"
#include "tenon/kernel.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"
#include "train/step_runner.hpp"

using namespace train_test;
using namespace tenon::cuda::on_cpu;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

cudaStream_t main_stream() {
  REQUIRE(under_test::has_device());
  return cudaStream_t(device_stream(DeviceType::cuda));
}

/// How a capture of `body` ends; the graph, if any, is run `times`.
template <class F>
cudaError_t captured(const F& body, int times = 0) {
  const cudaStream_t s = main_stream();
  REQUIRE(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal) == cudaSuccess);
  body(s);
  cudaGraph_t graph = nullptr;
  const cudaError_t end = cudaStreamEndCapture(s, &graph);
  CHECK((graph != nullptr) == (end == cudaSuccess));
  if (!graph) return end;
  cudaGraphExec_t exec = nullptr;
  REQUIRE(cudaGraphInstantiate(&exec, graph) == cudaSuccess);
  REQUIRE(cudaGraphDestroy(graph) == cudaSuccess);
  for (int i = 0; i < times; ++i) CHECK(cudaGraphLaunch(exec, s) == cudaSuccess);
  CHECK(cudaGraphExecDestroy(exec) == cudaSuccess);
  return end;
}

struct Pinned {
  int* at = nullptr;
  Pinned() { cudaMallocHost(&at, sizeof(int)); }
  ~Pinned() { cudaFreeHost(at); }
};

}  // namespace

TEST_CASE("a graph does again what was recorded, and nothing while it was", "[cuda_on_cpu][graph]") {
  Pinned from, to;
  int* on_device = nullptr;
  const cudaStream_t s = main_stream();
  REQUIRE(cudaMallocAsync(&on_device, sizeof(int), s) == cudaSuccess);
  *from.at = 1, *to.at = 0;
  CHECK(captured([&](cudaStream_t) {
          cudaMemcpyAsync(on_device, from.at, sizeof(int), cudaMemcpyHostToDevice, s);
          cudaMemcpyAsync(to.at, on_device, sizeof(int), cudaMemcpyDeviceToHost, s);
          CHECK(*to.at == 0);
          *from.at = 7;  // read when the graph runs
        }, 2) == cudaSuccess);
  CHECK(*to.at == 7);
  cudaFreeAsync(on_device, s);
  CHECK(damaged_guards().empty());
}

TEST_CASE("a capture is lost by what waits or takes memory at once", "[cuda_on_cpu][graph]") {
  const cudaStream_t s = main_stream();
  cudaEvent_t event = nullptr;
  cudaEventCreate(&event);
  cudaEventRecord(event, s);
  int* memory = nullptr;
  int host = 0;
  cudaMallocAsync(&memory, sizeof(int), s);
  const std::pair<const char*, std::function<cudaError_t()>> calls[] = {
      {"wait for the stream", [&] { return cudaStreamSynchronize(s); }},
      {"ask the stream", [&] { return cudaStreamQuery(s); }},
      {"wait for the device", [&] { return cudaDeviceSynchronize(); }},
      {"wait for an event", [&] { return cudaEventSynchronize(event); }},
      {"ask an event", [&] { return cudaEventQuery(event); }},
      {"wait for what came before", [&] { return cudaStreamWaitEvent(s, event); }},
      {"take memory", [&] { return cudaMalloc(&memory, 1); }},
      {"give memory back", [&] { return cudaFree(memory); }},
      {"give back in order what the graph did not take", [&] { return cudaFreeAsync(memory, s); }},
      {"take locked memory", [&] { return cudaMallocHost(&memory, 1); }},
      {"copy at once", [&] { return cudaMemcpy(memory, &host, sizeof host, cudaMemcpyHostToDevice); }},
      {"fill at once", [&] { return cudaMemset(memory, 0, sizeof host); }},
      {"record within", [&] { return cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal); }},
  };
  for (const auto& [what, call] : calls) {
    INFO(what);
    const bool nested = std::string(what) == "record within";
    CHECK(captured([&](cudaStream_t) { CHECK(call() != cudaSuccess); }) == (nested ? cudaSuccess : cudaErrorStreamCaptureInvalidated));
  }
  cudaFreeAsync(memory, s);
  cudaEventDestroy(event);
  CHECK(damaged_guards().empty());
}

TEST_CASE("memory that a graph takes is its own, and is given back there", "[cuda_on_cpu][graph]") {
  Pinned to;
  *to.at = 0;
  const std::size_t before = bytes_in_use();
  CHECK(captured([&](cudaStream_t s) {
          int* memory = nullptr;
          CHECK(cudaMallocAsync(&memory, sizeof(int), s) == cudaSuccess);
          cudaMemsetAsync(memory, 0, sizeof(int), s);
          cudaFreeAsync(memory, s);
          cudaMemcpyAsync(to.at, memory, sizeof(int), cudaMemcpyDeviceToHost, s);  // too late
        }, 1) == cudaSuccess);
  CHECK(*to.at == 0x7fffffff);  // what given back memory is filled with
  CHECK(bytes_in_use() == before);
  CHECK(damaged_guards().empty());
  CHECK(captured([&](cudaStream_t s) { cudaMallocAsync(reinterpret_cast<void**>(&to.at), sizeof(int), s); }) == cudaSuccess);
  CHECK_THAT(damaged_guards(), Contains("memory taken within a graph is not given back there"));
  to.at = nullptr;
}

TEST_CASE("memory of the host that a graph copies must be there when it runs", "[cuda_on_cpu][graph]") {
  int host = 0;
  int* memory = nullptr;
  cudaMallocAsync(&memory, sizeof(int), main_stream());
  CHECK(captured([&](cudaStream_t s) { cudaMemcpyAsync(memory, &host, sizeof host, cudaMemcpyHostToDevice, s); }) == cudaSuccess);
  CHECK_THAT(damaged_guards(), Contains("a graph copies memory of the host that may be gone when it runs"));
  cudaFreeAsync(memory, main_stream());
}

TEST_CASE("a recorded step is one graph from its second run on", "[cuda_on_cpu][graph]") {
  REQUIRE(under_test::has_device());
  const DeviceScope on(under_test::kDevice);
  const Tensor x = Tensor::full({5, 8}, 1.0), w = check::made(1, {8, 3}, DType::f32).to(under_test::kDevice);
  Tensor y;
  const StepPlan plan = StepPlan::record([&] { y = sum(square(matmul(x, w))); });
  std::vector<double> values;
  for (int run = 0; run < 4; ++run) {
    graphs_started();
    plan.run();
    CHECK(graphs_started() == (run > 0 ? 1 : 0));
    values.push_back(y.item());
    CHECK(values.back() == values.front());
  }
  CHECK_THAT(plan.replay_note(), StartsWith("one CUDA graph of "));
  CHECK_THAT(plan.explain(), StartsWith("# one CUDA graph of "));
}

TEST_CASE("threads that do not capture go on using CUDA while a step is captured", "[cuda_on_cpu][graph]") {
  REQUIRE(under_test::has_device());
  const DeviceScope on(under_test::kDevice);
  const Tensor y = Tensor::zeros({1});
  std::vector<cudaError_t> said;
  const StepPlan plan = StepPlan::record([&] {
    launch("probe", std::vector<Tensor>{}, std::vector<Tensor>{y}, [&](void* const*) {
      std::thread([&] {
        void* locked = nullptr;
        said.push_back(cudaMallocHost(&locked, 1));
        said.push_back(cudaFreeHost(locked));
      }).join();
    });
  });
  plan.run();
  plan.run();
  CHECK(said == std::vector<cudaError_t>(4, cudaSuccess));
  CHECK_THAT(plan.replay_note(), StartsWith("one CUDA graph of "));
}

TEST_CASE("a training's steps are graphs, those that sum several batches, too", "[cuda_on_cpu][graph][train]") {
  REQUIRE(under_test::has_device());
  const DeviceScope on(under_test::kDevice);
  for (const std::int64_t accumulate : {1, 2}) {
    Wave task(6, DType::f32, false);
    Net net;
    auto optimiser = make_adamw(net, {});
    StepRunner runner(task, net, *optimiser, accumulate, nullptr, 1.0, under_test::kDevice);
    std::vector<Tensor> batch{runner.host_tensor({"x", {6, 4}})}, filled;
    graphs_started();
    for (std::int64_t step = 0; step < 4; ++step)
      runner.run(0.01, step, {[&]() -> const std::vector<Tensor>& {
        filled = batch;
        task.fill_batch(step, Random(0, 0), filled);
        return filled;
      }});
    CHECK(graphs_started() >= 3);
    CHECK_THAT(runner.pass().replay_note(), StartsWith("one CUDA graph of "));
  }
}

TEST_CASE("a step that cannot be captured says why, and is launched one by one", "[cuda_on_cpu][graph]") {
  REQUIRE(under_test::has_device());
  const DeviceScope on(under_test::kDevice);
  const Tensor x = Tensor::full({4}, 1.0), y = Tensor::zeros({4});
  struct Case {
    const char *error, *note;
  };
  for (const Case& c : {Case{"this kernel cannot be captured", "launched one by one: this kernel cannot be captured"}, Case{nullptr, "launched one by one: capture failed: cudaError"}}) {
    int launched = 0;
    const StepPlan plan = StepPlan::record([&] {
      launch("test", {x}, {y}, [&](void* const*) {
        if (recording() && c.error) throw std::runtime_error(c.error);
        if (recording()) (void)cudaStreamSynchronize(main_stream());
        else ++launched;
      });
    });
    const int before = launched;
    for (int run = 0; run < 3; ++run) plan.run();
    CHECK(launched == before + 3);
    CHECK(plan.replay_note() == c.note);
    CHECK_FALSE(recording());
  }
}
