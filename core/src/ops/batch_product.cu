/// Small matrix products whose batch is the innermost axis, on CUDA. Neighbouring threads take neighbouring batch positions, so all
/// access is coalesced; a thread keeps a few rows by a few columns of its matrix in registers over the whole depth.
#include <algorithm>

#include "backend/cuda/install.hpp"
#include "backend/cuda/launch.cuh"
#include "ops/batch_product_kernels.hpp"

namespace tenon::cuda {
namespace {

constexpr int kThreads = 64;  // of a block: along the batch, and where that is short along the tiles as well

/// W elements that are loaded and stored as one.
template <class T, int W>
struct alignas(sizeof(T) * W) Pack {
  T v[W];
};

/// Rows [4 row tile, + M) by columns [4 column tile, + J); only the last tiles are cut, and those read their last row or column again.
template <class T, int W, int M, int J>
__global__ void __launch_bounds__(kThreads)
    batch_product(BatchProduct p, const T* a, const T* b, T* c, std::int64_t column_tiles, std::int64_t tiles) {
  const std::int64_t at = (std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * W;
  if (at >= p.batch) return;
  const std::int64_t step = std::int64_t(gridDim.y) * blockDim.y;
  for (std::int64_t tile = std::int64_t(blockIdx.y) * blockDim.y + threadIdx.y; tile < tiles; tile += step) {
    const std::int64_t row = tile / column_tiles * M, column = tile % column_tiles * J;
    const T *from_a[M], *from_b[J];
#pragma unroll
    for (int i = 0; i < M; ++i) from_a[i] = a + (row + i < p.rows ? row + i : p.rows - 1) * p.a_row + at;
#pragma unroll
    for (int j = 0; j < J; ++j) from_b[j] = b + (column + j < p.columns ? column + j : p.columns - 1) * p.b_column + at;
    T sum[M][J][W] = {};
#pragma unroll 2
    for (std::int64_t k = 0; k < p.depth; ++k) {
      Pack<T, W> x[M], y[J];
#pragma unroll
      for (int i = 0; i < M; ++i) x[i] = *reinterpret_cast<const Pack<T, W>*>(from_a[i] + k * p.a_depth);
#pragma unroll
      for (int j = 0; j < J; ++j) y[j] = *reinterpret_cast<const Pack<T, W>*>(from_b[j] + k * p.b_depth);
#pragma unroll
      for (int i = 0; i < M; ++i)
#pragma unroll
        for (int j = 0; j < J; ++j)
#pragma unroll
          for (int w = 0; w < W; ++w) sum[i][j][w] += x[i].v[w] * y[j].v[w];
    }
#pragma unroll
    for (int i = 0; i < M; ++i)
#pragma unroll
      for (int j = 0; j < J; ++j) {
        if (row + i >= p.rows || column + j >= p.columns) continue;
        Pack<T, W> z;
#pragma unroll
        for (int w = 0; w < W; ++w) z.v[w] = sum[i][j][w];
        *reinterpret_cast<Pack<T, W>*>(c + ((row + i) * p.columns + column + j) * p.batch + at) = z;
      }
  }
}

std::int64_t pieces(std::int64_t size, std::int64_t of) {
  return (size + of - 1) / of;
}

template <class T, int W, int M, int J>
void run(const BatchProduct& p, void* const* o) {
  const std::int64_t columns = pieces(p.columns, J), tiles = pieces(p.rows, M) * columns;
  int lanes = 1;
  while (lanes < kThreads && lanes * W < p.batch) lanes *= 2;
  const dim3 threads(unsigned(lanes), unsigned(kThreads / lanes));
  const dim3 blocks(unsigned(pieces(p.batch, lanes * W)), unsigned(std::min<std::int64_t>(pieces(tiles, threads.y), 65535)));
  start("batch_product", blocks, threads, 0, batch_product<T, W, M, J>, p, static_cast<const T*>(o[0]), static_cast<const T*>(o[1]),
        static_cast<T*>(o[2]), columns, tiles);
}

/// Few rows or columns (a batched matrix by a vector) take a narrow tile, so that no thread computes what is thrown away.
template <class T, int W>
void run_of_width(const BatchProduct& p, void* const* o) {
  if (p.rows == 1 || p.columns == 1)
    p.rows == 1 ? run<T, W, 1, 4>(p, o) : run<T, W, 4, 1>(p, o);
  else
    run<T, W, 4, 4>(p, o);
}

/// How many neighbouring batch positions a thread may take at once: all lines of both operands lie on as many.
template <class T>
bool in_pairs(const BatchProduct& p, void* const* o) {
  auto even = [](std::int64_t stride) { return stride % 2 == 0; };
  bool fits = even(p.batch) && even(p.a_row) && even(p.a_depth) && even(p.b_depth) && even(p.b_column);
  for (int i = 0; i < 3; ++i) fits = fits && reinterpret_cast<std::uintptr_t>(o[i]) % (2 * sizeof(T)) == 0;
  return fits && p.batch >= 4096;
}

template <class T>
Kernel make(const BatchProduct& p) {
  return [p](void* const* o) {
    if (p.rows == 0 || p.columns == 0 || p.batch == 0) return;
    in_pairs<T>(p, o) ? run_of_width<T, 2>(p, o) : run_of_width<T, 1>(p, o);
  };
}

}  // namespace

void install_batch_product() {
  batch_product_kernel.set(DeviceType::cuda,
                           [](const BatchProduct& p) { return p.dtype == DType::f64 ? make<double>(p) : make<float>(p); });
}

}  // namespace tenon::cuda
