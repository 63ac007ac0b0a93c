/// Sorting, picking, placing and running sums; peers/torch_indexing.py measures the same in PyTorch.
///   build/release/bin/micro_bench --benchmark_filter=index/
/// "items_per_second" counts elements of the input.
#include <benchmark/benchmark.h>

#include "tenon/autograd.hpp"
#include "tenon/cumulative.hpp"
#include "tenon/device.hpp"
#include "tenon/einsum.hpp"
#include "tenon/indexing.hpp"
#include "tenon/ops.hpp"
#include "tenon/ordering.hpp"

using namespace tenon;

namespace {

/// Whole numbers below n, uniform.
Tensor places(const Shape& shape, std::int64_t n, std::uint64_t stream) {
  return minimum(floor(random_uniform(shape, 2, stream).to(DType::f64) * double(n)), Tensor::full({}, double(n - 1), DType::f64))
      .to(DType::i64);
}

/// Runs op eagerly, as the peer does; `items` elements each.
template <class Op>
void measure(const char* name, std::int64_t items, Op op) {
  benchmark::RegisterBenchmark((std::string("index/") + name).c_str(),
                               [=](benchmark::State& state) {
                                 set_thread_count(2);
                                 NoGrad no_grad;
                                 for (auto _ : state) benchmark::DoNotOptimize(op());
                                 state.SetItemsProcessed(std::int64_t(state.iterations()) * items);
                               })
      ->UseRealTime()
      ->Unit(benchmark::kMicrosecond);
}

/// The same, of the gradients with respect to all inputs.
template <class Op>
void measure_gradient(const char* name, std::vector<Tensor> inputs, Op op) {
  for (Tensor& t : inputs) t.set_requires_grad();
  benchmark::RegisterBenchmark((std::string("index/") + name).c_str(),
                               [=](benchmark::State& state) {
                                 set_thread_count(2);
                                 for (auto _ : state) benchmark::DoNotOptimize(gradients({sum(op(inputs))}, inputs));
                               })
      ->UseRealTime()
      ->Unit(benchmark::kMicrosecond);
}

const bool registered = [] {
  const std::int64_t million = 1 << 20;
  const Tensor line = random_normal({million}, 1, 1), rows = random_normal({4096, 256}, 1, 2), cube = random_normal({64, 256, 64}, 1, 3);
  const Tensor wide = random_normal({million}, 1, 1).to(DType::f64), labels = places({million}, 1000, 1);
  measure("sort_line", million, [=] { return sort(line).values; });
  measure("sort_line_f64", million, [=] { return sort(wide).values; });
  measure("sort_line_i64", million, [=] { return sort(labels).values; });
  measure("sort_rows", million, [=] { return sort(rows).values; });
  measure("sort_axis", million, [=] { return sort(cube, 1).values; });
  measure("topk_line", million, [=] { return topk(line, 100).values; });
  measure("topk_rows", million, [=] { return topk(rows, 8).values; });
  measure("unique", million, [=] { return unique(labels).values; });
  measure("searchsorted", million, [edges = sort(random_normal({1000}, 1, 4)).values, line] { return searchsorted(edges, line); });
  measure("quantile_rows", million, [=] { return quantile(rows, 0.9, 1); });
  measure("cumsum_line", million, [=] { return cumsum(line, 0); });
  measure("cumsum_rows", million, [=] { return cumsum(rows, 1); });
  measure("cumsum_axis", million, [=] { return cumsum(cube, 1); });
  measure("cumprod_rows", million, [=] { return cumprod(rows, 1); });
  measure("cummax_rows", million, [=] { return cummax(rows, 1).values; });
  measure("logcumsumexp_rows", million, [=] { return logcumsumexp(rows, 1); });
  measure("gather_rows", million, [=, index = places({4096, 256}, 256, 2)] { return gather(rows, 1, index); });
  measure("gather_axis", million, [=, index = places({64, 256, 64}, 256, 3)] { return gather(cube, 1, index); });
  measure("gather_line", million, [=, index = places({million}, million, 4)] { return gather(line, 0, index); });
  measure("index_select", million,
          [=, index = places({16384}, 4096, 5), table = random_normal({4096, 64}, 1, 5)] { return index_select(table, 0, index); });
  measure("scatter_add_rows", million, [=, index = places({4096, 256}, 256, 6)] { return scatter_add(rows, 1, index, rows); });
  measure("scatter_add_line", million, [=, index = places({million}, million, 7)] { return scatter_add(line, 0, index, line); });
  measure("scatter_add_few", million, [=, zero = Tensor::zeros({1000})] { return scatter_add(zero, 0, labels, line); });
  measure("index_add", million,
          [=, index = places({16384}, 4096, 8), table = random_normal({4096, 64}, 1, 5), source = random_normal({16384, 64}, 1, 6)] {
            return index_add(table, 0, index, source);
          });
  measure("bincount", million, [=] { return bincount(labels, 1000); });
  measure("masked_select", million, [=, mask = greater(line, Tensor::zeros({}))] { return masked_select(line, mask); });
  measure("nonzero", million, [=, mask = greater(rows, Tensor::full({}, 1))] { return nonzero(mask); });
  measure("roll", million, [=] { return roll(cube, {3, 5}, {0, 1}); });
  const Tensor field = random_normal({8, 32, 16, 16}, 1, 7), weight = random_normal({32, 32, 16, 16}, 1, 8);
  const Tensor field_last = random_normal({8, 16, 16, 32}, 1, 7), weight_last = random_normal({16, 16, 32, 32}, 1, 8);
  auto spectral = [](const std::vector<Tensor>& v) { return einsum("bixy,ioxy->boxy", v); };
  auto spectral_last = [](const std::vector<Tensor>& v) { return einsum("bxyi,xyio->bxyo", v); };
  measure("einsum_bixy", 8 * 32 * 256, [=] { return spectral({field, weight}); });
  measure("einsum_bxyi", 8 * 32 * 256, [=] { return spectral_last({field_last, weight_last}); });
  measure_gradient("einsum_bixy_gradient", {field, weight}, spectral);
  measure_gradient("einsum_bxyi_gradient", {field_last, weight_last}, spectral_last);
  const Tensor queries = random_normal({8, 128, 4, 32}, 1, 9), keys = random_normal({8, 128, 4, 32}, 1, 10);
  measure("einsum_attention", 8 * 128 * 128, [=] { return einsum("bqhd,bkhd->bhqk", {queries, keys}); });
  return true;
}();

}  // namespace
