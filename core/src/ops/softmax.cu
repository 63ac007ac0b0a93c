/// Softmax on the device: rows of few classes by tiles in shared memory, others by teams of threads.
#include <limits>

#include "backend/cuda/class_tile.cuh"
#include "backend/cuda/install.hpp"
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
__global__ void softmax_teams(RowCut k, const T* x, T* y) {
  using A = Acc<T>;
  __shared__ A shared[kBlock / 32];
  const TeamPlace at = team_place(k.team);
  const bool active = at.row < k.rows;
  const RowPart<T, N, 4> part(k, at, x);
  const RowSoftmax<T, N> row(k, at, active, part, shared);
  const A top = row.top, sum = row.sum;
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
__global__ void softmax_gradient_teams(RowCut k, const T* y, const T* dy, T* dx) {
  using A = Acc<T>;
  __shared__ A shared[kBlock / 32];
  const TeamPlace at = team_place(k.team);
  const bool active = at.row < k.rows;
  const RowPart<T, N, 2> values(k, at, y), slopes(k, at, dy);
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
  sum = team_sum<A>(sum, k.team, shared);
  each_pack<2>(k, at.lane, active, [&](int u, std::int64_t pack) {
    A v[N], g[N];
    values.get(u, pack, v);
    slopes.get(u, pack, g);
#pragma unroll
    for (int i = 0; i < N; ++i) v[i] = Log ? g[i] - exp_fast(v[i]) * sum : v[i] * (g[i] - sum);
    store_lanes<T, N>(dx + at.row * k.channels + pack * N, v);
  });
}

constexpr std::int64_t kMostTileBlocks = 8192;  // a block takes several tiles beyond

unsigned tile_blocks(std::int64_t rows, const ClassTile& k) {
  const std::int64_t blocks = (rows + k.rows - 1) / k.rows;
  return unsigned(blocks < kMostTileBlocks ? blocks : kMostTileBlocks);
}

template <class T, bool Log>
void forward(const SoftmaxRows& p, void* const* o) {
  const T* x = static_cast<const T*>(o[0]);
  T* y = static_cast<T*>(o[1]);
  if (p.classes <= kFewClasses) {
    const ClassTile k = class_tile(p.classes);
    start("softmax_tiles", dim3(tile_blocks(p.rows, k)), dim3(kBlock), 0, softmax_tiles<T, Log>, k, p.rows, x, y);
    return;
  }
  by_lanes<T>(p.classes, {x, y}, [&](auto lanes) {
    constexpr int N = decltype(lanes)::value;
    const RowCut k = row_cut(p.rows, p.classes, N);
    start("softmax_teams", dim3(team_blocks(k.rows, k.team)), dim3(kBlock), 0, softmax_teams<T, N, Log>, k, x, y);
  });
}

template <class T, bool Log>
void gradient(const SoftmaxRows& p, void* const* o) {
  const T *y = static_cast<const T*>(o[0]), *dy = static_cast<const T*>(o[1]);
  T* dx = static_cast<T*>(o[2]);
  if (p.classes <= kFewClasses) {
    const ClassTile k = class_tile(p.classes);
    start("softmax_gradient_tiles", dim3(tile_blocks(p.rows, k)), dim3(kBlock), 2 * kTilePadded * sizeof(Acc<T>),
          softmax_gradient_tiles<T, Log>, k, p.rows, y, dy, dx);
    return;
  }
  by_lanes<T>(p.classes, {y, dy, dx}, [&](auto lanes) {
    constexpr int N = decltype(lanes)::value;
    const RowCut k = row_cut(p.rows, p.classes, N);
    start("softmax_gradient_teams", dim3(team_blocks(k.rows, k.team)), dim3(kBlock), 0, softmax_gradient_teams<T, N, Log>, k, y, dy, dx);
  });
}

}  // namespace

void install_softmax() {
  softmax_kernel.set(DeviceType::cuda, [](const SoftmaxRows& p) -> Kernel {
    return dispatch_floating("softmax", p.dtype, [&](auto tag) -> Kernel {
      using T = typename decltype(tag)::type;
      auto run = p.log ? forward<T, true> : forward<T, false>;
      return [p, run](void* const* o) {
        if (p.rows > 0 && p.classes > 0) run(p, o);
      };
    });
  });
  softmax_gradient_kernel.set(DeviceType::cuda, [](const SoftmaxRows& p) -> Kernel {
    return dispatch_floating("softmax", p.dtype, [&](auto tag) -> Kernel {
      using T = typename decltype(tag)::type;
      auto run = p.log ? gradient<T, true> : gradient<T, false>;
      return [p, run](void* const* o) {
        if (p.rows > 0 && p.classes > 0) run(p, o);
      };
    });
  });
}

}  // namespace tenon::cuda
