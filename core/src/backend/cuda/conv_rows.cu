/// Forward and input gradient of convolutions in general: an implicit matrix product, and one thread a result for what has few channels a
/// group.
#include "backend/cuda/conv_map.cuh"
#include "backend/cuda/conv_own.hpp"
#include "ops/dispatch.hpp"

namespace tenon::cuda {
namespace {

constexpr int kRows = 128, kCols = 64, kDepth = 16;  // a block's results, and the source channels taken at once
constexpr int kMost = 65535;                         // blocks along y and z

/// One step of a block: 16 source channels of one tap. Each thread brings 8 channels of one row and 4 weights.
template <class T, bool Forward>
struct GemmStep {
  Acc<T> a[8], b[4];

  __device__ void fetch(const ConvMap& m, const T* source, const Acc<T>* weights, std::int64_t voxel, int tap, int chunk, int group,
                        int col0, bool wide_a, bool wide_b) {
    const int tid = int(threadIdx.x), channel = chunk + (tid & 1) * 8, left = voxel < 0 ? 0 : m.sources - channel;
    if (left > 0) {
      load_some<T, 8>(source + voxel * m.source_channels + std::int64_t(group) * m.sources + channel, a, left, wide_a);
    } else {
#pragma unroll
      for (int j = 0; j < 8; ++j) a[j] = 0;
    }
    const int s = chunk + (Forward ? (tid & 3) * 4 : tid >> 4), r = col0 + (Forward ? tid >> 2 : (tid & 15) * 4);
    const int room = s < m.sources && r < m.results ? (Forward ? m.sources - s : m.results - r) : 0;
    if (room > 0) {
      load_some<Acc<T>, 4>(weights + weight_at<Forward>(m, group, tap, s, r), b, room, wide_b);
#pragma unroll
      for (int j = 0; j < 4; ++j) b[j] = as_weight<T>(b[j]);
    } else {
#pragma unroll
      for (int j = 0; j < 4; ++j) b[j] = 0;
    }
  }

  __device__ void put(Acc<T> (*a_tile)[kRows + 4], Acc<T> (*b_tile)[kCols + 4]) const {
    const int tid = int(threadIdx.x);
#pragma unroll
    for (int j = 0; j < 8; ++j) a_tile[(tid & 1) * 8 + j][tid >> 1] = a[j];
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      if (Forward) {
        b_tile[(tid & 3) * 4 + j][tid >> 2] = b[j];
      } else {
        b_tile[tid >> 4][(tid & 15) * 4 + j] = b[j];
      }
    }
  }
};

/// Grid: row tiles, column tiles of every group, classes of rows. 256 threads of 8 x 4 results.
template <class T, bool Forward>
__global__ void __launch_bounds__(256)
    gemm_rows(const T* source, const Acc<T>* weights, const Acc<T>* bias, T* result, ConvMap m, bool wide_a, bool wide_b, bool wide_store) {
  using A = Acc<T>;
  __shared__ __align__(16) A a_tile[kDepth][kRows + 4];
  __shared__ __align__(16) A b_tile[kDepth][kCols + 4];
  const RowClass<Forward> rows(m, int(blockIdx.z));
  const std::int64_t row0 = std::int64_t(blockIdx.x) * kRows;
  if (row0 >= rows.rows) return;
  const int tiles = (m.results + kCols - 1) / kCols, group = int(blockIdx.y) / tiles, col0 = int(blockIdx.y) % tiles * kCols;
  const int tid = int(threadIdx.x), down = (tid >> 4) * 8, across = (tid & 15) * 4;
  const std::int64_t mine = row0 + (tid >> 1);
  const bool there = mine < rows.rows;
  const Row row(rows, there ? mine : 0);

  A sum[8][4];
#pragma unroll
  for (int i = 0; i < 8; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j) sum[i][j] = 0;

  TapWalk<Forward> walk;
  GemmStep<T, Forward> step;
  bool more = walk.next(m, rows);
  int chunk = 0;
  std::int64_t voxel = -1;
  if (more) {
    voxel = there ? row.source(m, rows, walk.offset) : -1;
    step.fetch(m, source, weights, voxel, walk.tap, chunk, group, col0, wide_a, wide_b);
  }
  while (more) {
    step.put(a_tile, b_tile);
    __syncthreads();
    chunk += kDepth;
    if (chunk >= m.sources) {
      chunk = 0;
      more = walk.next(m, rows);
      if (more) voxel = there ? row.source(m, rows, walk.offset) : -1;
    }
    if (more) step.fetch(m, source, weights, voxel, walk.tap, chunk, group, col0, wide_a, wide_b);
#pragma unroll
    for (int k = 0; k < kDepth; ++k) {
      A a[8], b[4];
      load_words<A, 8>(&a_tile[k][down], a);
      load_words<A, 4>(&b_tile[k][across], b);
#pragma unroll
      for (int i = 0; i < 8; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) sum[i][j] += a[i] * b[j];
    }
    __syncthreads();
  }

  const int col = col0 + across, left = m.results - col;
  if (left <= 0) return;
  A add[4] = {0, 0, 0, 0};
  if (bias) load_some<A, 4>(bias + std::int64_t(group) * m.results + col, add, left, false);
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    if (row0 + down + i >= rows.rows) return;
#pragma unroll
    for (int j = 0; j < 4; ++j) sum[i][j] += add[j];
    const std::int64_t to = Row(rows, row0 + down + i).result(m, rows);
    store_some<T, 4>(result + to * m.result_channels + std::int64_t(group) * m.results + col, sum[i], left, wide_store);
  }
}

/// The gather of one result, read off the formula.
template <class T, bool Forward>
__global__ void direct_rows(const T* source, const Acc<T>* weights, const Acc<T>* bias, T* result, ConvMap m, std::int64_t total) {
  const std::int64_t pace = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < total; i += pace) {
    int channel = 0, at[3], p[3], k[3];
    std::int64_t sample = divide(i, m.result_channels, channel);
    for (int a = 2; a >= 0; --a) sample = divide(sample, m.result[a], at[a]);
    const int group = channel / m.results, r = channel % m.results;
    Acc<T> sum = 0;
    int tap = 0;
    for (k[0] = 0; k[0] < m.kernel[0]; ++k[0])
      for (k[1] = 0; k[1] < m.kernel[1]; ++k[1])
        for (k[2] = 0; k[2] < m.kernel[2]; ++k[2], ++tap) {
          bool inside = true;
          for (int a = 0; a < 3; ++a) {
            int shifted = Forward ? at[a] * m.stride[a] - m.pad[a] + k[a] * m.dilation[a] : at[a] + m.pad[a] - k[a] * m.dilation[a];
            p[a] = Forward ? shifted : shifted / m.stride[a];
            inside = inside && shifted >= 0 && (Forward || p[a] * m.stride[a] == shifted) && p[a] < m.source[a];
          }
          if (!inside) continue;
          const std::int64_t voxel = ((sample * m.source[0] + p[0]) * m.source[1] + p[1]) * m.source[2] + p[2];
          const T* from = source + voxel * m.source_channels + std::int64_t(group) * m.sources;
          for (int s = 0; s < m.sources; ++s) sum += Acc<T>(from[s]) * as_weight<T>(weights[weight_at<Forward>(m, group, tap, s, r)]);
        }
    result[i] = T(bias ? sum + bias[channel] : sum);
  }
}

template <class T, bool Forward>
void run_gemm(const ConvGeometry& g, const ConvOperands& p) {
  using A = Acc<T>;
  const ConvMap m(g, Forward);
  const bool wide_a = m.sources % 8 == 0 && aligned(p.source, 16);
  const bool wide_b = (Forward ? m.sources : m.results) % 4 == 0 && aligned(p.weights, 16);
  const bool wide_store = m.results % 4 == 0 && aligned(p.result, 16);
  const std::int64_t row_tiles = (m.class_rows(Forward) + kRows - 1) / kRows,
                     col_tiles = std::int64_t(m.groups) * ((m.results + kCols - 1) / kCols);
  start(Forward ? "conv_gemm" : "conv_gemm_back", dim3(unsigned(row_tiles), unsigned(col_tiles), unsigned(m.classes(Forward))), dim3(256),
        0, gemm_rows<T, Forward>, static_cast<const T*>(p.source), static_cast<const A*>(p.weights), static_cast<const A*>(p.bias),
        static_cast<T*>(p.result), m, wide_a, wide_b, wide_store);
}

template <class T, bool Forward>
void run_direct(const ConvGeometry& g, const ConvOperands& p) {
  using A = Acc<T>;
  const ConvMap m(g, Forward);
  const std::int64_t total = m.batch * m.result_voxels() * m.result_channels;
  start_items(Forward ? "conv_direct" : "conv_direct_back", total, direct_rows<T, Forward>, static_cast<const T*>(p.source),
              static_cast<const A*>(p.weights), static_cast<const A*>(p.bias), static_cast<T*>(p.result), m, total);
}

}  // namespace

bool conv_gemm_fits(const ConvGeometry& g, ConvPass pass) {
  const bool forward = pass == ConvPass::forward;
  const ConvMap m(g, forward);
  const std::int64_t col_tiles = std::int64_t(m.groups) * ((m.results + kCols - 1) / kCols);
  if (col_tiles > kMost || m.classes(forward) > kMost || (m.class_rows(forward) + kRows - 1) / kRows > 0x7fffffff) return false;
  return m.groups == 1 ? m.results >= 5 : m.results >= 8 && m.sources >= 4;  // narrower ones would leave most of a tile idle
}

void conv_gemm(const ConvGeometry& g, ConvPass pass, const ConvOperands& p) {
  dispatch_floating("conv", g.dtype, [&](auto t) {
    using T = typename decltype(t)::type;
    pass == ConvPass::forward ? run_gemm<T, true>(g, p) : run_gemm<T, false>(g, p);
  });
}

void conv_direct(const ConvGeometry& g, ConvPass pass, const ConvOperands& p) {
  dispatch_floating("conv", g.dtype, [&](auto t) {
    using T = typename decltype(t)::type;
    pass == ConvPass::forward ? run_direct<T, true>(g, p) : run_direct<T, false>(g, p);
  });
}

}  // namespace tenon::cuda
