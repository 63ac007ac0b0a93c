/// Single ops at the sizes of the reference 3D U-Net, beside the machine's copy bandwidth.
///   build/release/bin/micro_bench [--benchmark_filter=norm]
/// "bytes_per_second" counts what an op must read and write once; "FLOPS" multiplications and additions.
#include <benchmark/benchmark.h>

#include <cstring>
#include <vector>

#include "tenon/autograd.hpp"
#include "tenon/kernel.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"

using namespace tenon;

namespace {

DType type_of(const benchmark::State& state) { return state.range(0) ? DType::bf16 : DType::f32; }

/// Records `op` once and replays it: what is timed is kernels alone.
template <class Op> void replay(benchmark::State& state, Op op) {
  NoGrad no_grad;
  StepPlan plan = StepPlan::record([&] { op(); });
  plan.run();
  for (auto _ : state) plan.run();
}

void copy_bandwidth(benchmark::State& state) {
  std::vector<char> from(64 << 20, 1), to(64 << 20);
  for (auto _ : state) {
    parallel_blocks(std::int64_t(from.size()), 1 << 20, [&](std::int64_t begin, std::int64_t end) { std::memcpy(to.data() + begin, from.data() + begin, std::size_t(end - begin)); });
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(std::int64_t(state.iterations()) * 2 * std::int64_t(from.size()));
}

void elementwise_add(benchmark::State& state) {
  Tensor x = random_normal({2, 40, 56, 40, 32}, 1, 1).to(type_of(state)), y = random_normal({2, 40, 56, 40, 32}, 1, 2).to(type_of(state));
  replay(state, [&] { return add(x, y); });
  state.SetBytesProcessed(std::int64_t(state.iterations()) * 3 * std::int64_t(x.nbytes()));
}

void sum_all(benchmark::State& state) {
  Tensor x = random_normal({2, 40, 56, 40, 32}, 1, 1).to(type_of(state));
  replay(state, [&] { return sum(x); });
  state.SetBytesProcessed(std::int64_t(state.iterations()) * std::int64_t(x.nbytes()));
}

void instance_norm_leaky(benchmark::State& state) {
  Tensor x = random_normal({2, 40, 56, 40, 32}, 1, 1).to(type_of(state)), scale = Tensor::full({32}, 1), shift = Tensor::zeros({32});
  replay(state, [&] { return instance_norm(x, scale, shift, 1e-5, 0.01); });
  state.SetBytesProcessed(std::int64_t(state.iterations()) * 3 * std::int64_t(x.nbytes()));
}

void conv_3x3x3(benchmark::State& state) {
  const std::int64_t channels = state.range(1), z = 40 * 32 / channels, y = 56 * 32 / channels, x = 40 * 32 / channels;
  Tensor in = random_normal({2, z, y, x, channels}, 1, 1).to(type_of(state)), weight = random_normal({channels, 3, 3, 3, channels}, 1, 2), bias = Tensor::zeros({channels});
  replay(state, [&] { return conv(in, weight, bias, {{}, {1, 1, 1}, {}, 1}); });
  state.counters["FLOPS"] = benchmark::Counter(double(2 * 2 * 27 * z * y * x * channels * channels), benchmark::Counter::kIsIterationInvariantRate);
}

void matmul_square(benchmark::State& state) {
  const std::int64_t n = state.range(1);
  Tensor a = random_normal({n, n}, 1, 1).to(type_of(state)), b = random_normal({n, n}, 1, 2).to(type_of(state));
  replay(state, [&] { return matmul(a, b); });
  state.counters["FLOPS"] = benchmark::Counter(double(2 * n * n * n), benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace

BENCHMARK(copy_bandwidth)->UseRealTime();
BENCHMARK(elementwise_add)->ArgName("bf16")->Arg(0)->Arg(1)->UseRealTime();
BENCHMARK(sum_all)->ArgName("bf16")->Arg(0)->Arg(1)->UseRealTime();
BENCHMARK(instance_norm_leaky)->ArgName("bf16")->Arg(0)->Arg(1)->UseRealTime();
BENCHMARK(conv_3x3x3)->ArgNames({"bf16", "channels"})->ArgsProduct({{0, 1}, {32, 64, 128, 256}})->UseRealTime();
BENCHMARK(matmul_square)->ArgNames({"bf16", "n"})->ArgsProduct({{0, 1}, {256, 1024}})->UseRealTime();
