/// Sums down the columns of row-major matrices: blocks of threads that lie over neighbouring columns, and the folding of what they leave
/// (private).
#pragma once

#include <algorithm>

#include "backend/cuda/packs.cuh"

namespace tenon::cuda {

/// Enough blocks to fill a large device a few times over.
inline constexpr std::int64_t kFillBlocks = 528;

/// A block's threads as `ty` rows of `tx` packs; `slices` such blocks side by side span a row. Thread t is pack t % tx of row t / tx.
struct ColumnTile {
  int tx, ty;
  unsigned slices;
  int threads() const { return tx * ty; }
};

/// `blocks`: those there are anyhow; a narrower tile makes up for too few, down to eight packs, which still fill a cache line.
inline ColumnTile column_tile(std::int64_t packs, std::int64_t blocks) {
  auto cut = [&](std::int64_t tx) { return (packs + tx - 1) / tx; };
  std::int64_t tx = cut(cut(kBlock));
  while (tx > 8 && blocks * cut(tx) < kFillBlocks) tx = (tx + 1) / 2;
  return {int(tx), int(kBlock / tx), grid_blocks(cut(tx))};
}

/// Adds v over each run of `run` rows of the tile, whose ty rows are whole runs; the threads of a run's first row have its sums. `shared`
/// holds M values a thread. Every thread must come here.
template <class P, int M>
__device__ void sum_tile_runs(P (&v)[M], P* shared, int tx, int ty, int run) {
  const int threads = tx * ty, t = int(threadIdx.x), row = run == ty ? t / tx : t / tx % run;
#pragma unroll
  for (int m = 0; m < M; ++m) shared[m * threads + t] = v[m];
  int half = 1;
  while (half < run) half *= 2;
  for (half /= 2; half > 0; half /= 2) {
    __syncthreads();
    if (row < half && row + half < run) {
#pragma unroll
      for (int m = 0; m < M; ++m) {
        v[m] += shared[m * threads + t + half * tx];
        shared[m * threads + t] = v[m];
      }
    }
  }
}

/// Adds v over the rows of the tile; the first row's threads have the sums.
template <class P, int M>
__device__ void sum_tile_rows(P (&v)[M], P* shared, int tx, int ty) {
  sum_tile_runs<P, M>(v, shared, tx, ty, ty);
}

inline constexpr int kFoldRows = 128;  ///< rows that one block adds up

/// Adds each run of kFoldRows rows (every `stride`-th) into its first one. data: [samples, rows, pitch], of which the first columns.
template <class P>
__global__ void fold_rows_kernel(P* data, std::int64_t rows, std::int64_t columns, std::int64_t pitch, std::int64_t stride, unsigned groups,
                                 unsigned tiles, int tx) {
  __shared__ P shared[kBlock];
  unsigned block = blockIdx.x;
  const unsigned tile = block % tiles;
  block /= tiles;
  const std::int64_t group = block % groups, sample = block / groups;
  const int ty = kBlock / tx, row = int(threadIdx.x) / tx;
  const std::int64_t column = std::int64_t(tile) * tx + int(threadIdx.x) % tx, first = group * kFoldRows;
  const std::int64_t all = (rows + stride - 1) / stride;
  const int n = int(all - first < kFoldRows ? all - first : kFoldRows);
  P* from = data + (sample * rows + first * stride) * pitch + column;
  P sum[1] = {P(0)};
  if (column < columns) {
#pragma unroll 4
    for (int r = row; r < n; r += ty) sum[0] += from[r * stride * pitch];
  }
  sum_tile_rows<P, 1>(sum, shared, tx, ty);
  if (row == 0 && column < columns) *from = sum[0];
}

/// data [samples, rows, columns]: the first row of each sample becomes the sum of its rows, in an order that the sizes alone decide.
/// `pitch`: from one row to the next, if more than the columns.
template <class P>
void fold_rows(const char* name, P* data, std::int64_t samples, std::int64_t rows, std::int64_t columns, std::int64_t pitch = 0) {
  if (samples == 0 || columns == 0) return;
  int tx = 1;
  while (tx < 32 && tx < columns) tx *= 2;
  const std::int64_t tiles = (columns + tx - 1) / tx;
  for (std::int64_t stride = 1; stride < rows; stride *= kFoldRows) {
    const std::int64_t left = (rows + stride - 1) / stride, groups = (left + kFoldRows - 1) / kFoldRows;
    start(name, dim3(grid_blocks(samples * groups * tiles)), dim3(kBlock), 0, fold_rows_kernel<P>, data, rows, columns,
          std::max(pitch, columns), stride, unsigned(groups), unsigned(tiles), tx);
  }
}

}  // namespace tenon::cuda
