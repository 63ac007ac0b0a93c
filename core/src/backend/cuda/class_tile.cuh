/// Rows of few classes, many at a time in shared memory: read and written in memory's order, worked on a row a thread or a row a few
/// lanes of a warp (private).
#pragma once

#include <limits>

#include "backend/cuda/row_team.cuh"
#include "kernels/softmax.hpp"

namespace tenon::cuda {

inline constexpr int kTileElements = 4096, kTileRows = 256, kFewClasses = 16, kManyClasses = 256;
inline constexpr int kThreadRow = 32;  ///< rows up to this length are one thread's: to join lanes would take more than to go along
/// Elements of the padded tile.
inline constexpr int kTilePadded = kTileElements + kTileElements / 32;

/// Rows of a tile, and threads a row: one, or as many as leave each 4 to 16 classes.
struct ClassTile {
  int classes, rows, team;
};
inline ClassTile class_tile(std::int64_t classes) {
  const int rows = kTileElements / int(classes);
  return {int(classes), rows < kTileRows ? rows : kTileRows, classes <= kThreadRow ? 1 : classes <= 128 ? 8 : 16};
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

/// The row of a thread's team: its place in the tile and the first class of this lane; no class is left for lanes beyond the last row,
/// which come along since all lanes of a warp join together.
struct TileRow {
  int index, begin, lane;
  __device__ TileRow(const ClassTile& k, int row, int n)
      : index(row < n ? row : 0), begin(index * k.classes), lane(row < n ? int(threadIdx.x) % k.team : k.classes) {}
  __device__ bool leads() const { return lane == 0; }
};

/// body(TileRow) for the n rows of a tile, by all lanes of a warp together.
template <class Body>
__device__ void each_tile_row(const ClassTile& k, int n, const Body& body) {
  const int t = int(threadIdx.x), step = kBlock / k.team, ahead = t % 32 / k.team;
  for (int first = t / k.team - ahead; first < n; first += step) body(TileRow(k, first + ahead, n));
}

/// The largest of a row that starts at element `begin`. All lanes of the warp come here together.
template <class A>
__device__ A tile_row_max(const A* tile, int begin, const ClassTile& k, int lane) {
  A top = -std::numeric_limits<A>::infinity();
  for (int c = lane; c < k.classes; c += k.team) top = max_nan(tile[tile_at(begin + c)], top);
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
