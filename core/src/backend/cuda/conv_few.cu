/// Convolutions where one side has at most four channels: first layers, which read so few, and heads, which write so few.
#include "backend/cuda/conv_map.cuh"
#include "backend/cuda/conv_own.hpp"
#include "ops/dispatch.hpp"

namespace tenon::cuda {
namespace {

constexpr int kFew = 4, kTile = 64, kEach = 8, kThreads = 256, kVoxels = 4;
constexpr std::size_t kMostShared = 96 * 1024;

/// Result channels that a block of few_sources makes: a power of two times 8, so that its threads divide evenly.
int channel_tile(int results) {
  int tile = kEach;
  while (tile < kTile && tile < results) tile *= 2;
  return tile;
}

/// Few source channels. The weights lie in shared memory as [tap, source, channel of the tile]; a thread makes 8 neighbouring channels of
/// 4 rows, which is 16 bytes a store in 16-bit types. Grid: rows, channel tiles, classes of rows.
template <class T, bool Forward, int Sources>
__global__ void __launch_bounds__(kThreads) few_sources(const T* source, const Acc<T>* weights, const Acc<T>* bias, T* result, ConvMap m,
                                                        int tile, bool wide_load, bool wide_store) {
  using A = Acc<T>;
  A* packed = dynamic_shared<A>();
  const int channel0 = int(blockIdx.y) * tile;
  for (int i = int(threadIdx.x); i < int(m.taps) * Sources * tile; i += kThreads) {
    const int channel = channel0 + i % tile, s = i / tile % Sources, tap = i / tile / Sources;
    packed[i] = channel < m.results ? as_weight<T>(weights[weight_at<Forward>(m, 0, tap, s, channel)]) : A(0);
  }
  __syncthreads();
  const RowClass<Forward> rows(m, int(blockIdx.z));
  const int lanes = tile / kEach, pace = kThreads / lanes, mine = int(threadIdx.x) % lanes * kEach;
  const std::int64_t row0 = std::int64_t(blockIdx.x) * (pace * kVoxels) + int(threadIdx.x) / lanes;
  if (row0 >= rows.rows) return;
  const int left = m.results - channel0 - mine;
  if (left <= 0) return;
  // rows past the end repeat the first: they compute, but do not store
  auto row_at = [&](int v) { return Row(rows, row0 + v * pace < rows.rows ? row0 + v * pace : row0); };
  const Row at[kVoxels] = {row_at(0), row_at(1), row_at(2), row_at(3)};
  A sum[kVoxels][kEach];
#pragma unroll
  for (int j = 0; j < kEach; ++j) {
    const A start = bias && j < left ? bias[channel0 + mine + j] : A(0);
#pragma unroll
    for (int v = 0; v < kVoxels; ++v) sum[v][j] = start;
  }
  for (TapWalk<Forward> walk; walk.next(m, rows);) {
    A x[kVoxels][Sources];
#pragma unroll
    for (int v = 0; v < kVoxels; ++v) {
      const std::int64_t voxel = at[v].source(m, rows, walk.offset);
      load_some<T, Sources>(source + (voxel < 0 ? 0 : voxel) * Sources, x[v], voxel < 0 ? 0 : Sources, wide_load && voxel >= 0);
    }
#pragma unroll
    for (int s = 0; s < Sources; ++s) {
      A w[kEach];
      load_words<A, kEach>(packed + (walk.tap * Sources + s) * tile + mine, w);
#pragma unroll
      for (int v = 0; v < kVoxels; ++v)
#pragma unroll
        for (int j = 0; j < kEach; ++j) sum[v][j] += x[v][s] * w[j];
    }
  }
#pragma unroll
  for (int v = 0; v < kVoxels; ++v)
    if (row0 + v * pace < rows.rows)
      store_some<T, kEach>(result + at[v].result(m, rows) * m.result_channels + channel0 + mine, sum[v], left, wide_store);
}

/// Few result channels: one thread a row, the weights in shared memory as [tap, source, result].
template <class T, bool Forward, int Results>
__global__ void __launch_bounds__(kThreads)
    few_results(const T* source, const Acc<T>* weights, const Acc<T>* bias, T* result, ConvMap m, bool wide) {
  using A = Acc<T>;
  A* packed = dynamic_shared<A>();
  for (int i = int(threadIdx.x); i < int(m.taps) * m.sources * Results; i += kThreads) {
    const int r = i % Results, s = i / Results % m.sources, tap = i / Results / m.sources;
    packed[i] = as_weight<T>(weights[weight_at<Forward>(m, 0, tap, s, r)]);
  }
  __syncthreads();
  const RowClass<Forward> rows(m, int(blockIdx.z));
  const std::int64_t index = std::int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (index >= rows.rows) return;
  const Row row(rows, index);
  A sum[Results];
#pragma unroll
  for (int r = 0; r < Results; ++r) sum[r] = bias ? bias[r] : A(0);
  for (TapWalk<Forward> walk; walk.next(m, rows);) {
    const std::int64_t voxel = row.source(m, rows, walk.offset);
    if (voxel < 0) continue;
    const T* from = source + voxel * m.source_channels;
    const A* w = packed + std::int64_t(walk.tap) * m.sources * Results;
    for (int s = 0; s < m.sources; s += kEach, w += kEach * Results) {
      A x[kEach];
      load_some<T, kEach>(from + s, x, m.sources - s, wide);
#pragma unroll
      for (int j = 0; j < kEach; ++j)
#pragma unroll
        for (int r = 0; r < Results; ++r)
          if (wide || s + j < m.sources) sum[r] += x[j] * w[j * Results + r];
    }
  }
  T* to = result + row.result(m, rows) * Results;
#pragma unroll
  for (int r = 0; r < Results; ++r) to[r] = T(sum[r]);
}

std::size_t sources_shared(const ConvMap& m, std::size_t item) {
  return std::size_t(m.taps) * std::size_t(m.sources) * std::size_t(channel_tile(m.results)) * item;
}
std::size_t results_shared(const ConvMap& m, std::size_t item) {
  return std::size_t(m.taps) * std::size_t(m.sources) * std::size_t(m.results) * item;
}

enum class Kind { none, sources, results };

Kind kind_of(const ConvGeometry& g, bool forward) {
  const ConvMap m(g, forward);
  const std::size_t item = g.dtype == DType::f64 ? 8 : 4;
  if (m.groups != 1 || m.classes(forward) > 65535 || m.class_rows(forward) > std::int64_t(0x7fffffff) * kThreads) return Kind::none;
  if (m.results <= kFew && results_shared(m, item) <= kMostShared) return Kind::results;
  if (m.sources <= kFew && m.results <= 65535 * kTile && sources_shared(m, item) <= kMostShared) return Kind::sources;
  return Kind::none;
}

template <class T, bool Forward, int Few>
void run(const ConvGeometry& g, const ConvOperands& p, Kind kind) {
  using A = Acc<T>;
  const ConvMap m(g, Forward);
  const std::int64_t rows = m.class_rows(Forward);
  const unsigned classes = unsigned(m.classes(Forward));
  auto source = static_cast<const T*>(p.source);
  auto weights = static_cast<const A*>(p.weights), bias = static_cast<const A*>(p.bias);
  auto result = static_cast<T*>(p.result);
  if (kind == Kind::results) {
    const bool wide = m.sources % kEach == 0 && aligned(source, 16);
    start("conv_few_results", dim3(unsigned((rows + kThreads - 1) / kThreads), 1, classes), dim3(kThreads), results_shared(m, sizeof(A)),
          few_results<T, Forward, Few>, source, weights, bias, result, m, wide);
    return;
  }
  const int tile = channel_tile(m.results), a_block = kThreads / (tile / kEach) * kVoxels;
  const bool wide_load = Few != 3 && aligned(source, sizeof(T) * Few < 16 ? sizeof(T) * Few : 16),
             wide_store = m.results % kEach == 0 && aligned(result, 16);
  start("conv_few_sources", dim3(unsigned((rows + a_block - 1) / a_block), unsigned((m.results + tile - 1) / tile), classes),
        dim3(kThreads), sources_shared(m, sizeof(A)), few_sources<T, Forward, Few>, source, weights, bias, result, m, tile, wide_load,
        wide_store);
}

template <class T, bool Forward>
void run_few(const ConvGeometry& g, const ConvOperands& p) {
  const ConvMap m(g, Forward);
  const Kind kind = kind_of(g, Forward);
  switch (kind == Kind::results ? m.results : m.sources) {
    case 1:
      return run<T, Forward, 1>(g, p, kind);
    case 2:
      return run<T, Forward, 2>(g, p, kind);
    case 3:
      return run<T, Forward, 3>(g, p, kind);
    default:
      return run<T, Forward, 4>(g, p, kind);
  }
}

}  // namespace

bool conv_few_fits(const ConvGeometry& g, ConvPass pass) {
  return pass != ConvPass::weight_gradient && kind_of(g, pass == ConvPass::forward) != Kind::none;
}

void conv_few(const ConvGeometry& g, ConvPass pass, const ConvOperands& p) {
  dispatch_floating("conv", g.dtype, [&](auto t) {
    using T = typename decltype(t)::type;
    pass == ConvPass::forward ? run_few<T, true>(g, p) : run_few<T, false>(g, p);
  });
}

}  // namespace tenon::cuda
