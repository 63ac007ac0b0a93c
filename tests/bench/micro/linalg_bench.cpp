/// Products in f64 and of many small matrices, and factorisations; tests/bench/peers/torch_linalg.py times PyTorch at the same sizes.
///   build/release/bin/micro_bench --benchmark_filter=linalg
#include <benchmark/benchmark.h>

#include "tenon/autograd.hpp"
#include "tenon/linalg.hpp"
#include "tenon/ops.hpp"

using namespace tenon;

namespace {

DType type_of(std::int64_t bits) {
  return bits == 64 ? DType::f64 : DType::f32;
}

/// count products [m, k] x [k, n], eager.
void linalg_matmul(benchmark::State& state) {
  NoGrad no_grad;
  const std::int64_t count = state.range(1), m = state.range(2), k = state.range(3), n = state.range(4);
  Tensor a = random_normal({count, m, k}, 1, 1).to(type_of(state.range(0))),
         b = random_normal({count, k, n}, 1, 2).to(type_of(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(matmul(a, b));
  state.counters["FLOPS"] = benchmark::Counter(double(2 * count * m * n * k), benchmark::Counter::kIsIterationInvariantRate);
}

/// The products of a linear layer of 2,048 rows, in f32: pass 0 forward, 1 input gradient, 2 weight gradient.
void linear_pass(benchmark::State& state) {
  NoGrad no_grad;
  const std::int64_t pass = state.range(0), in = state.range(1), out = state.range(2), rows = 2048;
  const Tensor x = random_normal({rows, in}, 1, 1), w = random_normal({out, in}, 1, 2), d = random_normal({rows, out}, 1, 3);
  for (auto _ : state) benchmark::DoNotOptimize((pass == 0 ? linear(x, w, {}) : pass == 1 ? matmul(d, w) : matmul(d.transpose(0, 1), x)).raw());
  state.counters["FLOPS"] = benchmark::Counter(double(2 * rows * in * out), benchmark::Counter::kIsIterationInvariantRate);
}

template <class Op>
void factor(benchmark::State& state, Op op) {
  NoGrad no_grad;
  const std::int64_t count = state.range(1), n = state.range(2);
  Tensor a = random_normal({count, n, n}, 1, 1).to(DType::f64), unit = linalg::matrix_power(Tensor::zeros({n, n}, DType::f64), 0);
  Tensor spd = (matmul(a, a.transpose(1, 2)) * (1.0 / double(n)) + unit).to(type_of(state.range(0)));
  for (auto _ : state) op(spd);
}

void sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"bits", "count", "n"})
      ->ArgsProduct({{32, 64}, {1}, {128, 512}})
      ->ArgsProduct({{32, 64}, {10000}, {8}})
      ->ArgsProduct({{32, 64}, {500}, {32}});
  b->UseRealTime()->Unit(benchmark::kMicrosecond);
}

}  // namespace

BENCHMARK(linear_pass)->ArgNames({"pass", "in", "out"})->ArgsProduct({{0, 1, 2}, {256}, {768, 1024}})->ArgsProduct({{0, 1, 2}, {1024}, {256}})->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(linalg_matmul)
    ->ArgNames({"bits", "count", "m", "k", "n"})
    ->Args({64, 1, 512, 512, 512})
    ->Args({64, 1, 1024, 1024, 1024})
    ->Args({64, 10000, 8, 8, 8})
    ->Args({64, 10000, 16, 16, 16})
    ->Args({64, 1000, 64, 64, 64})
    ->Args({64, 2000, 1, 64, 64})
    ->Args({64, 1, 1, 512, 512})
    ->Args({32, 10000, 8, 8, 8})
    ->Args({32, 10000, 16, 16, 16})
    ->Args({32, 1000, 64, 64, 64})
    ->Args({32, 2000, 1, 64, 64})
    ->Args({32, 1, 1, 512, 512})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(factor, linalg_cholesky, [](const Tensor& a) { benchmark::DoNotOptimize(linalg::cholesky(a)); })->Apply(sizes);
BENCHMARK_CAPTURE(factor, linalg_solve, [](const Tensor& a) { benchmark::DoNotOptimize(linalg::solve(a, a)); })->Apply(sizes);
BENCHMARK_CAPTURE(factor, linalg_qr, [](const Tensor& a) { benchmark::DoNotOptimize(linalg::qr(a).q); })->Apply(sizes);
BENCHMARK_CAPTURE(factor, linalg_svd, [](const Tensor& a) { benchmark::DoNotOptimize(linalg::svd(a).u); })->Apply(sizes);
BENCHMARK_CAPTURE(factor, linalg_eigh, [](const Tensor& a) { benchmark::DoNotOptimize(linalg::eigh(a).v); })->Apply(sizes);
