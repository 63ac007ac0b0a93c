/// Softmax on the device: rows of few classes by tiles in shared memory, others by teams of threads, few long ones in parts.
#include <algorithm>
#include <limits>

#include "backend/cuda/class_tile.cuh"
#include "backend/cuda/columns.cuh"
#include "backend/cuda/install.hpp"
#include "backend/cuda/scratch.cuh"
#include "ops/dispatch.hpp"
#include "ops/row_softmax.cuh"
#include "ops/softmax_kernels.hpp"

namespace tenon::cuda {
namespace {

template <class T, bool Log>
__global__ void softmax_tiles(ClassTile k, std::int64_t rows, const T* x, T* y) {
  using A = Acc<T>;
  __shared__ A tile[kTilePadded];
  for (std::int64_t first = std::int64_t(blockIdx.x) * k.rows; first < rows; first += std::int64_t(gridDim.x) * k.rows) {
    const int n = int(rows - first < k.rows ? rows - first : k.rows), r = int(threadIdx.x), begin = r * k.classes;
    __syncthreads();
    load_tile<T>(x + first * k.classes, n * k.classes, tile);
    __syncthreads();
    if (r < n) {
      const A top = tile_row_max<A>(tile, begin, k, 0), sum = tile_row_exponentials<!Log, A>(tile, begin, k, 0, top);
      const A base = Log ? log_fast(sum) : A(1) / sum;
      for (int c = 0; c < k.classes; ++c) {
        A& v = tile[tile_at(begin + c)];
        v = Log ? (v - top) - base : v * base;
      }
    }
    __syncthreads();
    store_tile<T>(tile, n * k.classes, y + first * k.classes);
  }
}

template <class T, bool Log>
__global__ void softmax_gradient_tiles(ClassTile k, std::int64_t rows, const T* y, const T* dy, T* dx) {
  using A = Acc<T>;
  A *tile = dynamic_shared<A>(), *slope = tile + kTilePadded;
  for (std::int64_t first = std::int64_t(blockIdx.x) * k.rows; first < rows; first += std::int64_t(gridDim.x) * k.rows) {
    const int n = int(rows - first < k.rows ? rows - first : k.rows), r = int(threadIdx.x), begin = r * k.classes;
    __syncthreads();
    load_tile<T>(y + first * k.classes, n * k.classes, tile);
    load_tile<T>(dy + first * k.classes, n * k.classes, slope);
    __syncthreads();
    if (r < n) {
      A sum = A(0);
      for (int c = 0; c < k.classes; ++c) {
        const int at = tile_at(begin + c);
        sum += Log ? slope[at] : tile[at] * slope[at];
      }
      for (int c = 0; c < k.classes; ++c) {
        const int at = tile_at(begin + c);
        tile[at] = Log ? slope[at] - exp_fast(tile[at]) * sum : tile[at] * (slope[at] - sum);
      }
    }
    __syncthreads();
    store_tile<T>(tile, n * k.classes, dx + first * k.classes);
  }
}

template <class T, int N, bool Log>
__device__ void write_softmax(const RowCut& k, const TeamPlace& at, bool active, const RowPart<T, N, 4>& part, Acc<T> top, Acc<T> sum,
                              T* y) {
  using A = Acc<T>;
  const A base = Log ? log_fast(sum) : A(1) / sum;
  each_pack<4>(k, at.lane, active, [&](int u, std::int64_t pack) {
    A v[N];
    part.get(u, pack, v);
#pragma unroll
    for (int i = 0; i < N; ++i) v[i] = Log ? (v[i] - top) - base : exp_fast(v[i] - top) * base;
    store_lanes<T, N>(y + at.row * k.channels + pack * N, v);
  });
}

template <class T, int N, bool Log>
__global__ void softmax_teams(RowCut k, const T* x, T* y) {
  __shared__ Acc<T> shared[kBlock / 32];
  const TeamPlace at = team_place(k.team);
  const bool active = at.row < k.rows;
  const RowPart<T, N, 4> part(k, at, x);
  const RowSoftmax<T, N> row(k, at, active, part, shared);
  write_softmax<T, N, Log>(k, at, active, part, row.top, row.sum, y);
}

/// What the gradient of a row takes off each slope: this lane's share.
template <class T, int N, bool Log>
__device__ Acc<T> slope_share(const RowCut& k, const TeamPlace& at, bool active, const RowPart<T, N, 2>& values,
                              const RowPart<T, N, 2>& slopes) {
  using A = Acc<T>;
  A sum = A(0);
  each_pack<2>(k, at.lane, active, [&](int u, std::int64_t pack) {
    A v[N], g[N];
    if constexpr (!Log) values.get(u, pack, v);
    slopes.get(u, pack, g);
#pragma unroll
    for (int i = 0; i < N; ++i) {
      if constexpr (Log) {
        sum += g[i];
      } else {
        sum += v[i] * g[i];
      }
    }
  });
  return sum;
}

template <class T, int N, bool Log>
__device__ void write_gradient(const RowCut& k, const TeamPlace& at, bool active, const RowPart<T, N, 2>& values,
                               const RowPart<T, N, 2>& slopes, Acc<T> sum, T* dx) {
  each_pack<2>(k, at.lane, active, [&](int u, std::int64_t pack) {
    Acc<T> v[N], g[N];
    values.get(u, pack, v);
    slopes.get(u, pack, g);
#pragma unroll
    for (int i = 0; i < N; ++i) v[i] = Log ? g[i] - exp_fast(v[i]) * sum : v[i] * (g[i] - sum);
    store_lanes<T, N>(dx + at.row * k.channels + pack * N, v);
  });
}

template <class T, int N, bool Log>
__global__ void softmax_gradient_teams(RowCut k, const T* y, const T* dy, T* dx) {
  __shared__ Acc<T> shared[kBlock / 32];
  const TeamPlace at = team_place(k.team);
  const bool active = at.row < k.rows;
  const RowPart<T, N, 2> values(k, at, y), slopes(k, at, dy);
  const Acc<T> sum = team_sum<Acc<T>>(slope_share<T, N, Log>(k, at, active, values, slopes), k.team, shared);
  write_gradient<T, N, Log>(k, at, active, values, slopes, sum, dx);
}

/// Rows that are too few to fill a device a block each: `parts` of each, a block a part, which is a multiple of every pack.
struct PartCut {
  std::int64_t rows, classes, part;
  unsigned parts;
  std::int64_t blocks() const { return rows * parts; }
};

PartCut part_cut(const SoftmaxRows& p) {
  constexpr std::int64_t kLongRow = 8192, kLeastPart = 2048, kMostParts = 512;
  if (p.rows == 0 || p.rows >= kFillBlocks / 2 || p.classes <= kLongRow) return {p.rows, p.classes, p.classes, 1};
  const std::int64_t part = std::max(kLeastPart, (p.classes + kMostParts * 64 - 1) / (kMostParts * 64) * 64);
  return {p.rows, p.classes, part, unsigned((p.classes + part - 1) / part)};
}

/// A block's part as a row by itself, from element `first` on.
struct PartPlace {
  std::int64_t row, first;
  RowCut cut;
  TeamPlace at;
};
template <int N>
__device__ PartPlace part_place(const PartCut& k) {
  const std::int64_t row = blockIdx.x / k.parts, begin = blockIdx.x % k.parts * k.part;
  const std::int64_t n = k.classes - begin < k.part ? k.classes - begin : k.part;
  return {row, row * k.classes + begin, {1, n, n / N, kBlock}, {0, int(threadIdx.x)}};
}

/// left: the largest value of each part, then the sums of exponentials over them.
template <class T, int N>
__global__ void softmax_parts(PartCut k, const T* x, Acc<T>* left) {
  __shared__ Acc<T> shared[kBlock / 32];
  const PartPlace here = part_place<N>(k);
  const RowPart<T, N, 4> part(here.cut, here.at, x + here.first);
  const RowSoftmax<T, N> soft(here.cut, here.at, true, part, shared);
  if (threadIdx.x != 0) return;
  left[blockIdx.x] = soft.top;
  left[gridDim.x + blockIdx.x] = soft.sum;
}

template <class T, int N, bool Log>
__global__ void softmax_join(PartCut k, const T* x, const Acc<T>* left, T* y) {
  using A = Acc<T>;
  constexpr A kNone = -std::numeric_limits<A>::infinity();
  __shared__ A shared[kBlock / 32];
  const PartPlace here = part_place<N>(k);
  const RowPart<T, N, 4> part(here.cut, here.at, x + here.first);
  const A *tops = left + here.row * k.parts, *sums = tops + gridDim.x;
  A top = kNone, sum = A(0);
  for (unsigned i = threadIdx.x; i < k.parts; i += kBlock) top = max_nan(tops[i], top);
  top = team_join<A>(top, kBlock, shared, MaxValues<A>{});
  for (unsigned i = threadIdx.x; i < k.parts; i += kBlock)
    if (tops[i] != kNone) sum += sums[i] * exp_fast(tops[i] - top);  // the sum of a part without a finite value is NaN
  sum = team_sum<A>(sum, kBlock, shared);
  write_softmax<T, N, Log>(here.cut, here.at, true, part, top, sum, y + here.first);
}

template <class T, int N, bool Log>
__global__ void softmax_gradient_parts(PartCut k, const T* y, const T* dy, Acc<T>* left) {
  __shared__ Acc<T> shared[kBlock / 32];
  const PartPlace here = part_place<N>(k);
  const RowPart<T, N, 2> values(here.cut, here.at, y + here.first), slopes(here.cut, here.at, dy + here.first);
  const Acc<T> sum = team_sum<Acc<T>>(slope_share<T, N, Log>(here.cut, here.at, true, values, slopes), kBlock, shared);
  if (threadIdx.x == 0) left[blockIdx.x] = sum;
}

template <class T, int N, bool Log>
__global__ void softmax_gradient_join(PartCut k, const T* y, const T* dy, const Acc<T>* left, T* dx) {
  __shared__ Acc<T> shared[kBlock / 32];
  const PartPlace here = part_place<N>(k);
  const RowPart<T, N, 2> values(here.cut, here.at, y + here.first), slopes(here.cut, here.at, dy + here.first);
  Acc<T> sum = Acc<T>(0);
  for (unsigned i = threadIdx.x; i < k.parts; i += kBlock) sum += left[here.row * k.parts + i];
  sum = team_sum<Acc<T>>(sum, kBlock, shared);
  write_gradient<T, N, Log>(here.cut, here.at, true, values, slopes, sum, dx + here.first);
}

constexpr std::int64_t kMostTileBlocks = 8192;  // a block takes several tiles beyond

unsigned tile_blocks(std::int64_t rows, const ClassTile& k) {
  const std::int64_t blocks = (rows + k.rows - 1) / k.rows;
  return unsigned(blocks < kMostTileBlocks ? blocks : kMostTileBlocks);
}

template <class T, bool Log>
void forward(const SoftmaxRows& p, const PartCut& cut, void* space, void* const* o) {
  const T* x = static_cast<const T*>(o[0]);
  T* y = static_cast<T*>(o[1]);
  if (p.classes <= kThreadRow) {
    const ClassTile k = class_tile(p.classes);
    start("softmax_tiles", dim3(tile_blocks(p.rows, k)), dim3(kBlock), 0, softmax_tiles<T, Log>, k, p.rows, x, y);
    return;
  }
  by_lanes<T>(p.classes, {x, y}, [&](auto lanes) {
    constexpr int N = decltype(lanes)::value;
    if (cut.parts > 1) {
      const unsigned blocks = grid_blocks(cut.blocks());
      auto* left = static_cast<Acc<T>*>(space);
      start("softmax_parts", dim3(blocks), dim3(kBlock), 0, softmax_parts<T, N>, cut, x, left);
      start("softmax_join", dim3(blocks), dim3(kBlock), 0, softmax_join<T, N, Log>, cut, x, left, y);
      return;
    }
    const RowCut k = row_cut(p.rows, p.classes, N);
    start("softmax_teams", dim3(team_blocks(k.rows, k.team)), dim3(kBlock), 0, softmax_teams<T, N, Log>, k, x, y);
  });
}

template <class T, bool Log>
void gradient(const SoftmaxRows& p, const PartCut& cut, void* space, void* const* o) {
  const T *y = static_cast<const T*>(o[0]), *dy = static_cast<const T*>(o[1]);
  T* dx = static_cast<T*>(o[2]);
  if (p.classes <= kThreadRow) {
    const ClassTile k = class_tile(p.classes);
    start("softmax_gradient_tiles", dim3(tile_blocks(p.rows, k)), dim3(kBlock), 2 * kTilePadded * sizeof(Acc<T>),
          softmax_gradient_tiles<T, Log>, k, p.rows, y, dy, dx);
    return;
  }
  by_lanes<T>(p.classes, {y, dy, dx}, [&](auto lanes) {
    constexpr int N = decltype(lanes)::value;
    if (cut.parts > 1) {
      const unsigned blocks = grid_blocks(cut.blocks());
      auto* left = static_cast<Acc<T>*>(space);
      start("softmax_gradient_parts", dim3(blocks), dim3(kBlock), 0, softmax_gradient_parts<T, N, Log>, cut, y, dy, left);
      start("softmax_gradient_join", dim3(blocks), dim3(kBlock), 0, softmax_gradient_join<T, N, Log>, cut, y, dy, left, dx);
      return;
    }
    const RowCut k = row_cut(p.rows, p.classes, N);
    start("softmax_gradient_teams", dim3(team_blocks(k.rows, k.team)), dim3(kBlock), 0, softmax_gradient_teams<T, N, Log>, k, y, dy, dx);
  });
}

using RunRows = void (*)(const SoftmaxRows&, const PartCut&, void*, void* const*);

/// `left`: values of the accumulation type that a part leaves.
Kernel rows_kernel(const SoftmaxRows& p, std::int64_t left, RunRows run) {
  const PartCut cut = part_cut(p);
  const auto space = cut.parts > 1 ? scratch(std::size_t(cut.blocks() * left) * size_of(acc_dtype(p.dtype))) : nullptr;
  return [p, cut, space, run](void* const* o) {
    if (p.rows > 0 && p.classes > 0) run(p, cut, space ? space->as<unsigned char>() : nullptr, o);
  };
}

}  // namespace

void install_softmax() {
  softmax_kernel.set(DeviceType::cuda, [](const SoftmaxRows& p) -> Kernel {
    return dispatch_floating("softmax", p.dtype, [&](auto tag) -> Kernel {
      using T = typename decltype(tag)::type;
      return rows_kernel(p, 2, p.log ? forward<T, true> : forward<T, false>);
    });
  });
  softmax_gradient_kernel.set(DeviceType::cuda, [](const SoftmaxRows& p) -> Kernel {
    return dispatch_floating("softmax", p.dtype, [&](auto tag) -> Kernel {
      using T = typename decltype(tag)::type;
      return rows_kernel(p, 1, p.log ? gradient<T, true> : gradient<T, false>);
    });
  });
}

}  // namespace tenon::cuda
