/// Rows that teams of threads work on: a power of two of lanes within a warp, or a whole block (private).
#pragma once

#include "backend/cuda/packs.cuh"

namespace tenon::cuda {

/// Threads for a row of `packs` loads: one load each as far as a warp goes, then several, then a block.
inline int team_size(std::int64_t packs) {
  if (packs > 256) return kBlock;
  int size = 1;
  while (size < 32 && size < packs) size *= 2;
  return size;
}
/// Blocks of kBlock threads for teams of that size, one a row.
inline unsigned team_blocks(std::int64_t rows, int team) {
  const std::int64_t each = kBlock / team;
  return grid_blocks((rows + each - 1) / each);
}

/// join(value, value) over the team; every lane has the result. All threads of the block must come here together.
template <class V, class Join>
__device__ V team_join(V v, int team, V* shared, Join join) {
  for (int o = (team < 32 ? team : 32) / 2; o > 0; o /= 2) v = join(v, __shfl_xor_sync(0xffffffffu, v, o));
  if (team > 32) {
    const int warp = int(threadIdx.x) / 32;
    __syncthreads();  // what was there before has been read
    if (threadIdx.x % 32 == 0) shared[warp] = v;
    __syncthreads();
    v = shared[0];
    for (int w = 1; w < team / 32; ++w) v = join(v, shared[w]);
  }
  return v;
}

template <class V>
struct AddValues {
  __device__ V operator()(V a, V b) const { return a + b; }
};

template <class V>
__device__ V team_sum(V v, int team, V* shared) {
  return team_join<V>(v, team, shared, AddValues<V>{});
}

/// Where a thread stands in a grid of teams.
struct TeamPlace {
  std::int64_t row;
  int lane;
};
__device__ inline TeamPlace team_place(int team) {
  const unsigned each = unsigned(kBlock / team), t = threadIdx.x;
  return {std::int64_t(blockIdx.x) * each + t / unsigned(team), int(t % unsigned(team))};
}

/// Rows of `channels` elements, `packs` loads each, for teams of that size.
struct RowCut {
  std::int64_t rows, channels, packs;
  int team;
};

inline RowCut row_cut(std::int64_t rows, std::int64_t channels, int lanes) {
  return {rows, channels, channels / lanes, team_size(channels / lanes)};
}

/// body(cached values or null, pack) for this lane's packs; the first `Kept` of them have a place in registers.
template <int Kept, class Body>
__device__ void each_pack(const RowCut& k, int lane, bool active, const Body& body) {
  if (!active) return;
#pragma unroll
  for (int u = 0; u < Kept; ++u) {
    const std::int64_t pack = lane + u * k.team;
    if (pack < k.packs) body(u, pack);
  }
  for (std::int64_t pack = lane + std::int64_t(Kept) * k.team; pack < k.packs; pack += k.team) body(-1, pack);
}

/// A lane's part of a row, the first `Kept` packs read once.
template <class T, int N, int Kept>
struct RowPart {
  const T* row;
  Acc<T> kept[Kept][N];

  __device__ RowPart(const RowCut& k, const TeamPlace& at, const T* x) : row(x + (at.row < k.rows ? at.row : 0) * k.channels) {
#pragma unroll
    for (int u = 0; u < Kept; ++u) {
      const std::int64_t pack = at.lane + u * k.team;
      if (at.row < k.rows && pack < k.packs) load_lanes<T, N>(row + pack * N, kept[u]);
    }
  }
  __device__ void get(int u, std::int64_t pack, Acc<T> (&to)[N]) const {
    if (u < 0) {
      load_lanes<T, N>(row + pack * N, to);
    } else {
#pragma unroll
      for (int i = 0; i < N; ++i) to[i] = kept[u][i];
    }
  }
};

/// body(values) for this lane's packs in order: those that are kept, then others by fours, whose loads need not wait for each other.
template <class T, int N, int Kept, class Body>
__device__ void read_packs(const RowCut& k, int lane, bool active, const RowPart<T, N, Kept>& part, const Body& body) {
  constexpr int kAtOnce = 4;
  if (!active) return;
#pragma unroll
  for (int u = 0; u < Kept; ++u)
    if (lane + u * k.team < k.packs) body(part.kept[u]);
  std::int64_t pack = lane + std::int64_t(Kept) * k.team;
  for (; pack + (kAtOnce - 1) * k.team < k.packs; pack += kAtOnce * k.team) {
    Acc<T> v[kAtOnce][N];
#pragma unroll
    for (int u = 0; u < kAtOnce; ++u) load_lanes<T, N>(part.row + (pack + u * k.team) * N, v[u]);
#pragma unroll
    for (int u = 0; u < kAtOnce; ++u) body(v[u]);
  }
  for (; pack < k.packs; pack += k.team) {
    Acc<T> v[N];
    load_lanes<T, N>(part.row + pack * N, v);
    body(v);
  }
}

}  // namespace tenon::cuda
