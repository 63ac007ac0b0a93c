/// Short rows, many at a time in shared memory: read in memory's order, then a row a thread (private).
#pragma once

#include <algorithm>

#include "backend/cuda/class_tile.cuh"

namespace tenon::cuda {

/// `all` rows of n elements; a block takes `rows` of them.
struct RowTile {
  std::int64_t all;
  int n, rows;
  unsigned blocks() const { return grid_blocks((all + rows - 1) / rows); }
  __device__ int count(std::int64_t first) const { return int(all - first < rows ? all - first : rows); }
};
/// Rows by sixteens: each tile begins aligned if the first does.
inline RowTile row_tile(std::int64_t rows, std::int64_t n) {
  return {rows, int(n), std::min(kBlock, kTileElements / int(n) / 16 * 16)};
}
template <class T>
inline constexpr std::size_t kRowTileBytes = kTilePadded * sizeof(T);

/// Rows one after another as they are, element i at tile_at(i). N: elements a load, all of `from` aligned to them, or 1.
template <class T, int N>
__device__ void load_raw_tile(const T* from, int elements, T* tile) {
  if constexpr (N == 1) {
#pragma unroll 4
    for (int i = int(threadIdx.x); i < elements; i += kBlock) tile[tile_at(i)] = from[i];
  } else {
    const int packs = elements / N;
#pragma unroll 4
    for (int pack = int(threadIdx.x); pack < packs; pack += kBlock) {
      alignas(16) T raw[N];
      copy_bytes<N* int(sizeof(T))>(raw, from + pack * N);
#pragma unroll
      for (int i = 0; i < N; ++i) tile[tile_at(pack * N + i)] = raw[i];
    }
    const int rest = packs * N + int(threadIdx.x);
    if (rest < elements) tile[tile_at(rest)] = from[rest];
  }
}

}  // namespace tenon::cuda
