/// Rows of few classes, many at a time in shared memory: read and written in memory's order, worked on a row a thread or a row a warp
/// (private).
#pragma once

#include "backend/cuda/row_team.cuh"
#include "kernels/softmax.hpp"

namespace tenon::cuda {

inline constexpr int kTileElements = 4096, kTileRows = 256, kFewClasses = 16, kManyClasses = 256;
inline constexpr int kThreadRow = 32;  ///< rows up to this length are one thread's: to join lanes would take more than to go along
/// Elements of the padded tile.
inline constexpr int kTilePadded = kTileElements + kTileElements / 32;

/// Rows of a tile, and threads a row: 1 or 32.
struct ClassTile {
  int classes, rows, team;
};
inline ClassTile class_tile(std::int64_t classes) {
  const int rows = kTileElements / int(classes);
  return {int(classes), rows < kTileRows ? rows : kTileRows, classes <= kThreadRow ? 1 : 32};
}

/// Where element i lies: a shift every 32 spreads rows of 2, 4, 8... classes over the banks.
__device__ inline int tile_at(int i) {
  return i + (i >> 5);
}

template <class T>
__device__ void load_tile(const T* from, int elements, Acc<T>* tile) {
#pragma unroll 4
  for (int i = int(threadIdx.x); i < elements; i += kBlock) tile[tile_at(i)] = widen<T>(from[i]);
}
template <class T>
__device__ void store_tile(const Acc<T>* tile, int elements, T* to) {
#pragma unroll 4
  for (int i = int(threadIdx.x); i < elements; i += kBlock) to[i] = narrow<T>(tile[tile_at(i)]);
}

template <class A>
struct MaxValues {
  __device__ A operator()(A a, A b) const { return max_nan(a, b); }
};

/// The largest of a row that starts at element `begin`. With a team of 32, all lanes of the warp come here together.
template <class A>
__device__ A tile_row_max(const A* tile, int begin, const ClassTile& k, int lane) {
  A top = lane < k.classes ? tile[tile_at(begin + lane)] : tile[tile_at(begin)];
  for (int c = lane + k.team; c < k.classes; c += k.team) top = max_nan(tile[tile_at(begin + c)], top);
  return team_join<A>(top, k.team, nullptr, MaxValues<A>{});
}

/// Sum of exp(x - top) over a row, whose elements become those exponentials if `Keep`.
template <bool Keep, class A>
__device__ A tile_row_exponentials(A* tile, int begin, const ClassTile& k, int lane, A top) {
  A sum = A(0);
  for (int c = lane; c < k.classes; c += k.team) {
    const A e = exp_fast(tile[tile_at(begin + c)] - top);
    if constexpr (Keep) tile[tile_at(begin + c)] = e;
    sum += e;
  }
  return team_sum<A>(sum, k.team, nullptr);
}

}  // namespace tenon::cuda
