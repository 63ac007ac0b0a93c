/// Products of tall matrices, cut along their rows: a block makes one tile of c over its piece of the rows, and with it the sums of a's columns;
/// the pieces' sums are added by a second kernel.
#include "backend/cuda/tall_product.hpp"

#include <algorithm>

#include "backend/cuda/packs.cuh"

namespace tenon::cuda {
namespace {

constexpr int kTile = 64, kDepth = 32;            ///< rows and columns of a tile of c; rows of a and b at a time
constexpr int kThreads = 256, kEach = 4;          ///< of a tile; results of a thread along both axes
constexpr int kAcross = kTile / kEach;            ///< packs of four across a tile
constexpr int kLoads = kDepth * kAcross / kThreads;
constexpr std::int64_t kWidest = 128, kShortest = 2048, kTaller = 16;  ///< axes of c, rows of a and b, and rows to an axis of c
constexpr std::int64_t kNarrowest = 64;                                ///< both axes together: below, most of a tile's products would be of zeros
constexpr std::int64_t kMostRows = 8192;                               ///< of a piece: no long chains of f32 additions
constexpr int kFoldColumns = 32, kFoldLanes = kThreads / kFoldColumns;

struct TallCut {
  TallShape s;
  int tiles_m, tiles_n;
  std::int64_t rows, pieces;  ///< of a piece
  bool wide_a, wide_b;        ///< four elements at a time
  bool sums;
  /// Elements of a piece's results: c, then the sums.
  TENON_HD std::int64_t results() const { return s.m * s.n + (sums ? s.m : 0); }
};

TallCut tall_cut(const TallShape& s, bool sums) {
  TallCut k{s, int((s.m + kTile - 1) / kTile), int((s.n + kTile - 1) / kTile), 0, 0, false, false, sums};
  const std::int64_t wanted = std::max<std::int64_t>(1, 264 / (k.tiles_m * k.tiles_n)), each = (s.k + wanted - 1) / wanted;
  k.rows = std::min(kMostRows, (each + kDepth - 1) / kDepth * kDepth);
  k.pieces = (s.k + k.rows - 1) / k.rows;
  return k;
}

struct alignas(16) Four {
  float x[kEach];
};

/// Columns [column, column + 4) of a row, zeros beyond the matrix.
__device__ Four load_four(const float* row, std::int64_t column, std::int64_t columns, bool wide) {
  Four v = {};
  if (wide) {
    if (column < columns) v = *reinterpret_cast<const Four*>(row + column);
    return v;
  }
#pragma unroll
  for (int i = 0; i < kEach; ++i)
    if (column + i < columns) v.x[i] = row[column + i];
  return v;
}

/// parts [pieces, results].
__global__ void __launch_bounds__(kThreads, 2) tall_parts(TallCut k, const float* a, const float* b, float* parts) {
  __shared__ Four as[2][kDepth][kAcross], bs[2][kDepth][kAcross];
  const int t = int(threadIdx.x), across = t % kAcross, down = t / kAcross, tiles = k.tiles_m * k.tiles_n;
  const std::int64_t piece = blockIdx.x / unsigned(tiles);
  const int tile = int(blockIdx.x % unsigned(tiles)), column_tile = tile % k.tiles_n, row_tile = tile / k.tiles_n;
  const std::int64_t begin = piece * k.rows, end = begin + k.rows < k.s.k ? begin + k.rows : k.s.k;
  const std::int64_t a_column = std::int64_t(row_tile) * kTile + across * kEach, b_column = std::int64_t(column_tile) * kTile + across * kEach;
  const bool adds = k.sums && column_tile == 0;
  Four next_a[kLoads], next_b[kLoads];
  float sum[kEach][kEach] = {}, own[kEach] = {};
  auto load = [&](std::int64_t first) {
#pragma unroll
    for (int i = 0; i < kLoads; ++i) {
      const std::int64_t row = first + down + i * (kThreads / kAcross);
      next_a[i] = next_b[i] = Four{};
      if (row < end) {
        next_a[i] = load_four(a + row * k.s.a_row, a_column, k.s.m, k.wide_a);
        next_b[i] = load_four(b + row * k.s.b_row, b_column, k.s.n, k.wide_b);
      }
    }
  };
  load(begin);
  int half = 0;
  for (std::int64_t first = begin; first < end; first += kDepth, half ^= 1) {
#pragma unroll
    for (int i = 0; i < kLoads; ++i) {
      const int row = down + i * (kThreads / kAcross);
      as[half][row][across] = next_a[i];
      bs[half][row][across] = next_b[i];
      if (adds) {
#pragma unroll
        for (int j = 0; j < kEach; ++j) own[j] += next_a[i].x[j];
      }
    }
    __syncthreads();  // the other half was read before the threads came here
    if (first + kDepth < end) load(first + kDepth);
#pragma unroll 8
    for (int p = 0; p < kDepth; ++p) {
      const Four x = as[half][p][down], y = bs[half][p][across];
#pragma unroll
      for (int i = 0; i < kEach; ++i)
#pragma unroll
        for (int j = 0; j < kEach; ++j) sum[i][j] = fmaf(x.x[i], y.x[j], sum[i][j]);
    }
  }
  float* to = parts + piece * k.results();
  const bool wide = k.s.n % kEach == 0 && k.results() % kEach == 0;
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const std::int64_t row = std::int64_t(row_tile) * kTile + down * kEach + i;
    if (row >= k.s.m) continue;
    if (wide) {
      Four v;
#pragma unroll
      for (int j = 0; j < kEach; ++j) v.x[j] = sum[i][j];
      if (b_column < k.s.n) store_bytes<16>(to + row * k.s.n + b_column, &v);
    } else {
#pragma unroll
      for (int j = 0; j < kEach; ++j)
        if (b_column + j < k.s.n) to[row * k.s.n + b_column + j] = sum[i][j];
    }
  }
  if (!adds) return;  // a whole block
  __syncthreads();
  Four mine;
#pragma unroll
  for (int j = 0; j < kEach; ++j) mine.x[j] = own[j];
  as[0][down][across] = mine;
  __syncthreads();
  const std::int64_t column = std::int64_t(row_tile) * kTile + t;
  if (t >= kTile || column >= k.s.m) return;
  float all = 0;
  for (int r = 0; r < kThreads / kAcross; ++r) all += as[0][r][t / kEach].x[t % kEach];
  to[k.s.m * k.s.n + column] = all;
}

__global__ void __launch_bounds__(kThreads) tall_fold(TallCut k, const float* parts, float* c, float* sums) {
  __shared__ double added[kFoldLanes][kFoldColumns];
  const int lane = int(threadIdx.x) / kFoldColumns, column = int(threadIdx.x) % kFoldColumns;
  const std::int64_t results = k.results(), at = std::int64_t(blockIdx.x) * kFoldColumns + column;
  double sum = 0;
  if (at < results) {
#pragma unroll 8
    for (std::int64_t piece = lane; piece < k.pieces; piece += kFoldLanes) sum += double(parts[piece * results + at]);
  }
  added[lane][column] = sum;
  __syncthreads();
  if (lane != 0 || at >= results) return;
  for (int l = 1; l < kFoldLanes; ++l) sum += added[l][column];
  if (at < k.s.m * k.s.n)
    c[at] = float(sum);
  else
    sums[at - k.s.m * k.s.n] = float(sum);
}

}  // namespace

bool tall_product_fits(const TallShape& s) {
  return s.m >= 1 && s.n >= 1 && s.m <= kWidest && s.n <= kWidest && s.m + s.n >= kNarrowest && s.k >= kShortest && s.k >= kTaller * std::max(s.m, s.n);
}

std::size_t tall_product_workspace(const TallShape& s, bool sums) {
  const TallCut k = tall_cut(s, sums);
  return std::size_t(k.pieces * k.results()) * sizeof(float);
}

void tall_product(const TallShape& s, const float* a, const float* b, float* c, float* sums, void* workspace) {
  TallCut k = tall_cut(s, sums != nullptr);
  k.wide_a = s.m % kEach == 0 && s.a_row % kEach == 0 && aligned16({a});
  k.wide_b = s.n % kEach == 0 && s.b_row % kEach == 0 && aligned16({b});
  auto* parts = static_cast<float*>(workspace);
  start("tall_product", dim3(grid_blocks(k.pieces * k.tiles_m * k.tiles_n)), dim3(kThreads), 0, tall_parts, k, a, b, parts);
  start("tall_product_fold", dim3(grid_blocks((k.results() + kFoldColumns - 1) / kFoldColumns)), dim3(kThreads), 0, tall_fold, k, static_cast<const float*>(parts), c, sums);
}

}  // namespace tenon::cuda
