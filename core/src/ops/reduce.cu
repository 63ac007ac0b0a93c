/// Sums and extremes on the device: a row by a team of threads, a block or several, columns by blocks that lie over them.
#include <algorithm>

#include "backend/cuda/columns.cuh"
#include "backend/cuda/divider.cuh"
#include "backend/cuda/install.hpp"
#include "backend/cuda/last_block.cuh"
#include "backend/cuda/row_tile.cuh"
#include "backend/cuda/scratch.cuh"
#include "kernels/elementwise.hpp"
#include "ops/dispatch.hpp"
#include "ops/reduce_kernels.hpp"

namespace tenon::cuda {
namespace {

using kernels::Computed;

template <class T>
using Partial = std::conditional_t<std::is_integral_v<Computed<T>>, std::int64_t, double>;

constexpr std::int64_t kTeamRow = 2048;    ///< rows up to this length are one team's
constexpr std::int64_t kLeastColumn = 64;  ///< rows that a block adds up at least

/// N neighbouring elements added to v.
template <class T, int N>
__device__ void add_lanes(const T* p, Partial<T> (&v)[N]) {
  if constexpr (N == 1) {
    v[0] += Partial<T>(Computed<T>(*p));
  } else {
    alignas(16) T raw[N];
    copy_bytes<N* int(sizeof(T))>(raw, p);
#pragma unroll
    for (int i = 0; i < N; ++i) v[i] += Partial<T>(Computed<T>(raw[i]));
  }
}

template <class T, int N>
__device__ Partial<T> add_up(const Partial<T> (&v)[N]) {
  Partial<T> sum = v[0];
#pragma unroll
  for (int i = 1; i < N; ++i) sum += v[i];
  return sum;
}

/// O: the type of the sums, T that of what is added up, which may be narrower.
template <class O, class P>
__device__ O rounded(P v) {
  return O(Computed<O>(v));
}

/// Threads for a row that is read an element at a time: enough of them that each has little to do, few enough that joining what they found
/// is not most of the work; eight still read whole sectors.
int sector_team(std::int64_t n) {
  return n <= 128 ? 8 : n <= 256 ? 16 : 32;
}

/// Short rows, a team each.
template <class T, class O, int N>
__global__ void sum_teams(RowCut k, const T* x, O* out) {
  using P = Partial<T>;
  __shared__ P shared[kBlock / 32];
  const TeamPlace at = team_place(k.team);
  P v[N];
#pragma unroll
  for (int i = 0; i < N; ++i) v[i] = P(0);
  if (at.row < k.rows) {
#pragma unroll 4
    for (std::int64_t pack = at.lane; pack < k.packs; pack += k.team) add_lanes<T, N>(x + at.row * k.channels + pack * N, v);
  }
  const P sum = team_sum<P>(add_up<T, N>(v), k.team, shared);
  if (at.row < k.rows && at.lane == 0) out[at.row] = rounded<O>(sum);
}

/// The shortest rows: a tile of them a block, a row a thread.
template <class T, class O, int N>
__global__ void sum_tiles(RowTile k, const T* x, O* out) {
  using P = Partial<T>;
  T* tile = dynamic_shared<T>();
  const std::int64_t first = std::int64_t(blockIdx.x) * k.rows;
  const int rows = k.count(first), r = int(threadIdx.x), begin = r * k.n;
  load_raw_tile<T, N>(x + first * k.n, rows * k.n, tile);
  __syncthreads();
  if (r >= rows) return;
  P sum = P(0);
#pragma unroll 4
  for (int i = 0; i < k.n; ++i) sum += P(Computed<T>(tile[tile_at(begin + i)]));
  out[first + r] = rounded<O>(sum);
}

/// Long rows: partial [rows, runs], a block a run. `out`: written by a row's last block, or null, where other kernels add up.
template <class T, class O, int N>
__global__ void sum_runs(const T* x, Partial<T>* partial, std::int64_t n, std::int64_t run, unsigned runs, O* out) {
  using P = Partial<T>;
  __shared__ P shared[kBlock];
  const std::int64_t row = blockIdx.x / runs, begin = blockIdx.x % runs * run, left = n - begin < run ? n - begin : run, packs = left / N;
  const T* p = x + row * n + begin;
  P v[N];
#pragma unroll
  for (int i = 0; i < N; ++i) v[i] = P(0);
#pragma unroll 4
  for (std::int64_t pack = threadIdx.x; pack < packs; pack += kBlock) add_lanes<T, N>(p + pack * N, v);
  if (std::int64_t(threadIdx.x) < left - packs * N) v[0] += P(Computed<T>(p[packs * N + threadIdx.x]));
  P sum[1] = {add_up<T, N>(v)};
  sum_tile_rows<P, 1>(sum, shared, 1, kBlock);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum[0];
  if (!out || !is_last_block(row, runs)) return;
  sum[0] = share_of_left(partial + row * runs, runs);
  sum_tile_rows<P, 1>(sum, shared, 1, kBlock);
  if (threadIdx.x == 0) out[row] = rounded<O>(sum[0]);
}

struct SumCut {
  std::int64_t reduced, inner, run;
  unsigned runs, slices;
  int tx, ty;
};

/// Columns: partial [outer, runs, inner], or the result itself where there is one run, or where the last block of a slice adds up the runs (`whole`).
template <class T, class O, int N>
__global__ void sum_columns(SumCut k, const T* x, Partial<T>* partial, O* out, bool whole) {
  using P = Partial<T>;
  const unsigned slice = blockIdx.x % k.slices, task = blockIdx.x / k.slices;
  const std::int64_t outer = task / k.runs, begin = task % k.runs * k.run, end = begin + k.run < k.reduced ? begin + k.run : k.reduced;
  const int row = int(threadIdx.x) / k.tx;
  const std::int64_t c = (std::int64_t(slice) * k.tx + int(threadIdx.x) % k.tx) * N;
  P v[N];
#pragma unroll
  for (int i = 0; i < N; ++i) v[i] = P(0);
  if (c < k.inner) {
    const T* p = x + (outer * k.reduced + begin + row) * k.inner + c;
#pragma unroll 4
    for (std::int64_t r = begin + row; r < end; r += k.ty, p += k.ty * k.inner) add_lanes<T, N>(p, v);
  }
  sum_tile_rows<P, N>(v, dynamic_shared<P>(), k.tx, k.ty);
  if (k.runs > 1) {
    if (row == 0 && c < k.inner) {
#pragma unroll
      for (int i = 0; i < N; ++i) partial[std::int64_t(task) * k.inner + c + i] = v[i];
    }
    if (!whole || !is_last_block(outer * k.slices + slice, k.runs)) return;
#pragma unroll
    for (int i = 0; i < N; ++i) v[i] = P(0);
    if (c < k.inner) {
#pragma unroll 2
      for (unsigned run = unsigned(row); run < k.runs; run += unsigned(k.ty))
#pragma unroll
        for (int i = 0; i < N; ++i) v[i] += __ldcg(partial + (outer * k.runs + run) * k.inner + c + i);
    }
    sum_tile_rows<P, N>(v, dynamic_shared<P>(), k.tx, k.ty);
  }
  if (row != 0 || c >= k.inner) return;
#pragma unroll
  for (int i = 0; i < N; ++i) out[outer * k.inner + c + i] = rounded<O>(v[i]);
}

/// Columns of many small matrices: a pack of columns a thread, which goes down it.
template <class T, class O, int N>
__global__ void sum_small_columns(LongDivider packs, std::int64_t all, std::int64_t reduced, std::int64_t inner, const T* x, O* out) {
  using P = Partial<T>;
  std::int64_t pack = std::int64_t(blockIdx.x) * kBlock + threadIdx.x;
  if (pack >= all) return;
  const std::int64_t outer = packs.split(pack);
  const T* p = x + outer * reduced * inner + pack * N;
  P v[N];
#pragma unroll
  for (int i = 0; i < N; ++i) v[i] = P(0);
#pragma unroll 4
  for (std::int64_t r = 0; r < reduced; ++r) add_lanes<T, N>(p + r * inner, v);
  O* to = out + outer * inner + pack * N;
  if constexpr (N == 1) {
    *to = rounded<O>(v[0]);
  } else {
    alignas(16) O raw[N];
#pragma unroll
    for (int i = 0; i < N; ++i) raw[i] = rounded<O>(v[i]);
    store_bytes<N* int(sizeof(O))>(to, raw);
  }
}

/// Blocks that would each add up few elements, and so many of them that single threads fill a device for as long as they go down a column.
bool small_columns(const ReduceShape& s, std::int64_t packs) {
  return s.runs() == 1 && s.reduced * packs <= 4 * kBlock && s.outer >= 64 * s.reduced;
}

/// The folded sums: those of the first run of each.
template <class P, class O>
__global__ void round_sums(const P* partial, O* out, std::int64_t total, std::int64_t inner, std::int64_t runs) {
  const std::int64_t step = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < total; i += step) {
    const std::int64_t outer = i / inner;
    out[i] = rounded<O>(partial[outer * runs * inner + (i - outer * inner)]);
  }
}

template <class T, class O>
void fold_and_round(const ReduceShape& s, Partial<T>* partial, O* out) {
  fold_rows<Partial<T>>("sum_fold", partial, s.outer, s.runs(), s.inner);
  start_items("round_sums", s.outer * s.inner, round_sums<Partial<T>, O>, partial, out, s.outer * s.inner, s.inner, s.runs());
}

/// The length of a run: enough of them to fill the device, none too short.
std::int64_t sum_run(const ReduceShape& s, DType dtype) {
  if (s.outer == 0 || s.inner == 0 || s.reduced == 0) return kSumRun;
  if (s.inner == 1) {
    const std::int64_t each = s.outer * s.reduced / (4 * kFillBlocks);
    return std::max(kSumRun, (each + kSumRun - 1) / kSumRun * kSumRun);
  }
  const std::int64_t lanes = 16 / std::int64_t(size_of(dtype)), packs = s.inner % lanes == 0 ? s.inner / lanes : s.inner;
  const ColumnTile t = column_tile(packs, s.outer * ((s.reduced + kLeastColumn - 1) / kLeastColumn));
  const std::int64_t runs = (kFillBlocks + s.outer * t.slices - 1) / (s.outer * t.slices);
  return std::max(kLeastColumn, (s.reduced + runs - 1) / runs);
}

template <class T, class O>
void sum_rows(const ReduceShape& s, const T* x, Partial<T>* partial, O* out) {
  const bool single = s.outer == 1 && s.reduced > kTeamRow;  // one row begins aligned whatever its length
  by_lanes<T>(single ? kLanes<T> : s.reduced, {x}, [&](auto lanes) {
    constexpr int N = decltype(lanes)::value;
    if (N == 1 && s.reduced <= kThreadRow) {  // of longer packs a team of few threads reads such a row
      const RowTile k = row_tile(s.outer, s.reduced);
      by_lanes<T>(kLanes<T>, {x}, [&](auto packs) {
        start("sum_tiles", dim3(k.blocks()), dim3(kBlock), kRowTileBytes<T>, sum_tiles<T, O, decltype(packs)::value>, k, x, out);
      });
      return;
    }
    if (s.reduced <= kTeamRow) {
      const RowCut k{s.outer, s.reduced, s.reduced / N, N == 1 ? sector_team(s.reduced) : std::min(team_size(s.reduced / N), 32)};
      start("sum_teams", dim3(team_blocks(k.rows, k.team)), dim3(kBlock), 0, sum_teams<T, O, N>, k, x, out);
      return;
    }
    const bool whole = s.outer <= kTickets && s.runs() <= kMostTurns * kBlock;
    start("sum_runs", dim3(grid_blocks(s.outer * s.runs())), dim3(kBlock), 0, sum_runs<T, O, N>, x, partial, s.reduced, s.run,
          unsigned(s.runs()), whole ? out : nullptr);
    if (!whole) fold_and_round<T, O>(s, partial, out);
  });
}

template <class T, class O>
void sum_down(const ReduceShape& s, const T* x, Partial<T>* partial, O* out) {
  by_lanes<T>(s.inner, {x, out}, [&](auto lanes) {
    constexpr int N = decltype(lanes)::value;
    const std::int64_t packs = s.inner / N, all = s.outer * packs;
    if (small_columns(s, packs)) {
      start("sum_small_columns", dim3(grid_blocks((all + kBlock - 1) / kBlock)), dim3(kBlock), 0, sum_small_columns<T, O, N>,
            LongDivider(packs), all, s.reduced, s.inner, x, out);
      return;
    }
    const ColumnTile t = column_tile(packs, s.outer * s.runs());
    const SumCut k{s.reduced, s.inner, s.run, grid_blocks(s.runs()), t.slices, t.tx, t.ty};
    const bool whole = s.outer * t.slices <= kTickets && s.runs() <= kMostTurns * t.ty;
    start("sum_columns", dim3(grid_blocks(s.outer * s.runs() * t.slices)), dim3(t.threads()), sizeof(Partial<T>) * N * t.threads(),
          sum_columns<T, O, N>, k, x, partial, out, whole);
    if (s.runs() > 1 && !whole) fold_and_round<T, O>(s, partial, out);
  });
}

template <class T, class O>
Kernel sum_as(ReduceShape s) {
  return [s](void* const* p) {
    O* out = static_cast<O*>(p[2]);
    if (s.outer * s.inner == 0) return;
    if (s.reduced == 0) {
      check(cudaMemsetAsync(out, 0, std::size_t(s.outer * s.inner) * sizeof(O), stream()), "cudaMemsetAsync");
      return;
    }
    (s.inner == 1 ? sum_rows<T, O> : sum_down<T, O>)(s, static_cast<const T*>(p[0]), static_cast<Partial<T>*>(p[1]), out);
  };
}

Kernel make_sum(ReduceShape s, DType dtype, DType sums) {
  return dispatch_all(dtype, [&](auto t) -> Kernel {
    using T = typename decltype(t)::type;
    using Wide = WideSum<T>;
    if constexpr (!std::is_same_v<T, Wide> && !std::is_integral_v<T>)
      if (sums == dtype) return sum_as<T, T>(s);
    return sum_as<T, Wide>(s);
  });
}

/// Short rows: a tile of them a block, a row a thread.
template <class T, bool Max, int N>
__global__ void extreme_tiles(RowTile k, const T* x, T* values, std::int64_t* positions) {
  using C = Computed<T>;
  T* tile = dynamic_shared<T>();
  const std::int64_t first = std::int64_t(blockIdx.x) * k.rows;
  const int rows = k.count(first), r = int(threadIdx.x), begin = r * k.n;
  load_raw_tile<T, N>(x + first * k.n, rows * k.n, tile);
  __syncthreads();
  if (r >= rows) return;
  C best = C(tile[tile_at(begin)]);
  int at = 0;
  for (int i = 1; i < k.n; ++i) {  // the first extreme wins, and so does the first NaN
    const C v = C(tile[tile_at(begin + i)]);
    if ((Max ? v > best : v < best) || (v != v && best == best)) best = v, at = i;
  }
  values[first + r] = tile[tile_at(begin + at)];
  positions[first + r] = at;
}

/// A candidate for an extreme; position -1: none yet.
template <class T>
struct Best {
  Computed<T> value;
  std::int64_t at;
};

/// The first extreme wins, and so does the first NaN.
template <class T, bool Max>
struct Better {
  __device__ Best<T> operator()(const Best<T>& a, const Best<T>& b) const {
    if (a.at < 0 || b.at < 0) return a.at < 0 ? b : a;
    const bool nan_a = a.value != a.value, nan_b = b.value != b.value, first = a.at < b.at;
    if (nan_a || nan_b) return nan_a && (!nan_b || first) ? a : b;
    if (a.value == b.value) return first ? a : b;
    return (Max ? a.value > b.value : a.value < b.value) ? a : b;
  }
};

template <class T, bool Max>
__device__ Best<T> team_best(Best<T> v, int team, Best<T>* shared) {
  const Better<T, Max> better;
  for (int o = (team < 32 ? team : 32) / 2; o > 0; o /= 2) {
    const Best<T> other{__shfl_xor_sync(0xffffffffu, v.value, o), __shfl_xor_sync(0xffffffffu, v.at, o)};
    v = better(v, other);
  }
  if (team > 32) {
    __syncthreads();
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = v;
    __syncthreads();
    v = shared[0];
    for (int w = 1; w < team / 32; ++w) v = better(v, shared[w]);
  }
  return v;
}

struct ExtremeCut {
  std::int64_t rows, n, piece, pieces;
  int team;
};

/// A team for each piece of each row: the values and positions where a row is one piece, or the positions alone.
template <class T, bool Max>
__global__ void extreme_pieces(ExtremeCut k, const T* x, T* values, std::int64_t* positions) {
  __shared__ Best<T> shared[kBlock / 32];
  const TeamPlace at = team_place(k.team);
  const bool active = at.row < k.rows * k.pieces;
  const std::int64_t row = active ? at.row / k.pieces : 0, begin = active ? (at.row - row * k.pieces) * k.piece : 0;
  const std::int64_t end = begin + k.piece < k.n ? begin + k.piece : k.n;
  const Better<T, Max> better;
  Best<T> best{Computed<T>(0), -1};
  if (active) {
#pragma unroll 4
    for (std::int64_t i = begin + at.lane; i < end; i += k.team) best = better(best, Best<T>{Computed<T>(x[row * k.n + i]), i});
  }
  best = team_best<T, Max>(best, k.team, shared);
  if (!active || at.lane != 0) return;
  positions[at.row] = best.at;
  if (k.pieces == 1) values[at.row] = x[row * k.n + best.at];
}

/// The pieces of each row together, a block a row.
template <class T, bool Max>
__global__ void extreme_join(ExtremeCut k, const T* x, const std::int64_t* pieces, T* values, std::int64_t* positions) {
  __shared__ Best<T> shared[kBlock / 32];
  const std::int64_t row = blockIdx.x;
  const Better<T, Max> better;
  Best<T> best{Computed<T>(0), -1};
  for (std::int64_t i = threadIdx.x; i < k.pieces; i += kBlock) {
    const std::int64_t at = pieces[row * k.pieces + i];
    best = better(best, Best<T>{Computed<T>(x[row * k.n + at]), at});
  }
  best = team_best<T, Max>(best, kBlock, shared);
  if (threadIdx.x != 0) return;
  positions[row] = best.at;
  values[row] = x[row * k.n + best.at];
}

ExtremeCut extreme_cut(std::int64_t rows, std::int64_t n) {
  constexpr std::int64_t kLeastPiece = 8192;
  const int team = n > 1024 ? kBlock : sector_team(n);
  std::int64_t pieces = 1;
  if (rows > 0 && rows < kFillBlocks) pieces = std::min((kFillBlocks + rows - 1) / rows, std::max<std::int64_t>(1, n / kLeastPiece));
  const std::int64_t piece = (n + pieces - 1) / pieces;
  return {rows, n, piece, (n + piece - 1) / piece, team};
}

template <class T, bool Max>
Kernel extreme_kernel_of(const ExtremeCut& k) {
  const auto space = k.pieces > 1 ? scratch(std::size_t(k.rows * k.pieces) * sizeof(std::int64_t)) : nullptr;
  return [k, space](void* const* p) {
    if (k.rows == 0) return;
    const T* x = static_cast<const T*>(p[0]);
    T* values = static_cast<T*>(p[1]);
    auto *positions = static_cast<std::int64_t*>(p[2]), *pieces = space ? space->as<std::int64_t>() : nullptr;
    if (k.n <= kThreadRow) {
      const RowTile tile = row_tile(k.rows, k.n);
      by_lanes<T>(kLanes<T>, {x}, [&](auto lanes) {
        start("extreme_tiles", dim3(tile.blocks()), dim3(kBlock), kRowTileBytes<T>, extreme_tiles<T, Max, decltype(lanes)::value>, tile, x,
              values, positions);
      });
      return;
    }
    start("extreme_pieces", dim3(team_blocks(k.rows * k.pieces, k.team)), dim3(kBlock), 0, extreme_pieces<T, Max>, k, x, values,
          pieces ? pieces : positions);
    if (pieces) start("extreme_join", dim3(grid_blocks(k.rows)), dim3(kBlock), 0, extreme_join<T, Max>, k, x, pieces, values, positions);
  };
}

Kernel make_extreme(Extreme which, std::int64_t rows, std::int64_t n, DType dtype) {
  return dispatch_all(dtype, [&](auto t) -> Kernel {
    using T = typename decltype(t)::type;
    const ExtremeCut k = extreme_cut(rows, n);
    return which == Extreme::max ? extreme_kernel_of<T, true>(k) : extreme_kernel_of<T, false>(k);
  });
}

}  // namespace

void install_reduce() {
  set_sum_run(DeviceType::cuda, sum_run);
  sum_kernel.set(DeviceType::cuda, make_sum);
  extreme_kernel.set(DeviceType::cuda, make_extreme);
}

}  // namespace tenon::cuda
