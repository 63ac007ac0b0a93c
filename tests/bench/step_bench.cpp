/// Whole training steps of the reference models, as peers/torch_reference.py times them: zero gradients, forward, loss,
/// backward, AdamW, on fixed random data in memory. Prints one JSON line in the same form.
///
///   step_bench [--model unet3d] [--device cpu|cuda] [--dtype f32|tf32|bf16] [--threads 2] [--rounds 15] [--seconds 20] [--profile] [--explain]
///
/// On a GPU a round is as many steps as fit into 0.2 s, and peak_mb the most device memory that tensors held.
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>
#include <string>

#include "tenon/dropout.hpp"
#include "tenon/optim.hpp"
#include "tenon/plan.hpp"
#include "tenon/precision.hpp"
#include "tenon/storage.hpp"
#include "tenon/tenon.hpp"
#include "workloads/workload.hpp"

using namespace tenon;

namespace {

struct Options {
  std::string model = "unet3d", dtype = "f32";
  Device device = kCpu;
  int threads = 2, rounds = 15;
  double seconds = 20;
  bool profile = false, explain = false;
};

Options parse(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    std::string a = argv[i];
    auto value = [&]() -> std::string { return i + 1 < argc ? argv[++i] : ""; };
    if (a == "--model") o.model = value();
    else if (a == "--device") o.device = Device::parse(value());
    else if (a == "--dtype") o.dtype = value();
    else if (a == "--threads") o.threads = std::atoi(value().c_str());
    else if (a == "--rounds") o.rounds = std::atoi(value().c_str());
    else if (a == "--seconds") o.seconds = std::atof(value().c_str());
    else if (a == "--profile") o.profile = true;
    else if (a == "--explain") o.explain = true;
    else {
      std::fprintf(stderr, "unknown option %s\n", a.c_str());
      std::exit(2);
    }
  }
  return o;
}

double peak_mb() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  return double(u.ru_maxrss) / 1024;
}

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

}  // namespace

/// Every block of memory that C++ takes anywhere in the process.
std::atomic<std::uint64_t> blocks{0};
void* operator new(std::size_t bytes) {
  blocks.fetch_add(1, std::memory_order_relaxed);
  if (void* p = std::malloc(bytes ? bytes : 1)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

int main(int argc, char** argv) try {
  Options o = parse(argc, argv);
  if (o.dtype != "f32" && o.dtype != "tf32" && o.dtype != "bf16") {
    std::fprintf(stderr, "unknown type %s (known: f32 tf32 bf16)\n", o.dtype.c_str());
    return 2;
  }
  set_thread_count(o.threads);
  const auto make = bench::workloads().find(o.model);
  if (make == bench::workloads().end()) {
    std::fprintf(stderr, "unknown model %s (known:", o.model.c_str());
    for (const auto& [name, entry] : bench::workloads()) std::fprintf(stderr, " %s", name.c_str());
    std::fprintf(stderr, ")\n");
    return 2;
  }
  DeviceScope on(o.device);
  const Tf32Scope products(o.dtype == "tf32");
  bench::Workload w = make->second(o.dtype == "bf16" ? DType::bf16 : DType::f32);
  w.model->initialise(0);
  const Tensor key = random_key(0, o.device);
  w.model->set_random_key(key);
  auto optimiser = make_adamw(*w.model, {});
  double base = peak_mb();
  Tensor loss;
  StepPlan plan = StepPlan::record([&] {
    loss = w.loss();
    loss.backward();
    loss = loss.detach();
    optimiser->step();
  });
  if (o.explain) std::printf("%s", plan.explain().c_str());
  std::int64_t number = 0;
  auto step = [&] {
    optimiser->begin_step(1e-4);
    set_random_step(key, number++);
    plan.run();
  };
  for (int i = 0; i < 3; ++i) step();
  int inner = 1;  // steps a round; reading the loss waits for all of them
  if (o.device != kCpu) {
    loss.item();
    const double begin = now();
    step();
    loss.item();
    inner = std::max(1, int(0.2 / (now() - begin)));
  }
  std::vector<double> times;
  times.reserve(100000);
  std::uint64_t allocations = allocator(o.device.type).stats().allocations, blocks_before = blocks;
  double start = now();
  while (int(times.size()) < o.rounds && (times.size() < 3 || now() - start < o.seconds)) {
    double t = now();
    for (int i = 0; i < inner; ++i) step();
    if (o.device != kCpu) loss.item();
    times.push_back((now() - t) * 1e3 / inner);
  }
  allocations = allocator(o.device.type).stats().allocations - allocations;
  const double blocks_a_step = double(blocks - blocks_before) / double(times.size()) / inner;
  const double peak = o.device == kCpu ? peak_mb() - base : double(allocator(o.device.type).stats().peak) / 1048576;
  std::sort(times.begin(), times.end());
  if (o.profile) {
    std::map<std::string, std::pair<int, double>> by_name;
    optimiser->begin_step(1e-4);
    for (const auto& [name, seconds] : plan.profile()) {
      auto& [count, total] = by_name[name];
      ++count;
      total += seconds;
    }
    for (const auto& [name, entry] : by_name) std::fprintf(stderr, "%-32s %4d  %8.2f ms\n", name.c_str(), entry.first, entry.second * 1e3);
  }
  std::printf("{\"model\": \"%s\", \"mode\": \"tenon\", \"device\": \"%s\", \"dtype\": \"%s\", \"threads\": %d, \"ms\": %.4f, \"ms_min\": %.4f, \"peak_mb\": %.1f, \"arena_mb\": %.1f, \"allocations\": %llu, \"blocks_a_step\": %.1f, \"params\": %lld, \"loss\": %.6f}\n",
              o.model.c_str(), o.device == kCpu ? "cpu" : "cuda", o.dtype.c_str(), o.threads, times[times.size() / 2], times[0], peak, double(plan.arena_bytes()) / 1048576,
              static_cast<unsigned long long>(allocations), blocks_a_step, static_cast<long long>(w.model->parameter_count()), loss.item());
} catch (const Error& e) {
  std::fprintf(stderr, "error[%s]: %s\n", e.code().c_str(), e.what());
  return 1;
}
