/// Pooling on the device: a thread takes neighbouring channels of one voxel, gathering in both directions. Long windows are shared.
#include <limits>

#include "backend/cuda/install.hpp"
#include "backend/cuda/scratch.cuh"
#include "backend/cuda/window_team.cuh"
#include "ops/dispatch.hpp"
#include "ops/pool_kernels.hpp"

namespace tenon::cuda {
namespace {

constexpr std::int64_t kNarrow = 0x7fffffff;  ///< indices up to here are divided in 32 bits

/// `narrow`: window arithmetic fits 32 bits, whose divisions are fast.
struct PoolCut {
  PoolAxis z, y, x;
  std::int64_t samples, channels;
  unsigned slices;
  int tx, ty;
  bool narrow;
};

PoolCut pool_cut(const Pooling& p, int lanes) {
  const ColumnTile t = column_tile(p.channels / lanes, kFillBlocks);
  bool narrow = true;
  for (const PoolAxis& a : p.axes)
    for (std::int64_t v : {a.in, a.out, a.kernel, a.stride, a.padding}) narrow &= v < (std::int64_t(1) << 29);
  return {p.axes[0], p.axes[1], p.axes[2], p.samples, p.channels, t.slices, t.tx, t.ty, narrow};
}

/// The voxel of a thread, by its sample and place, and its first channel.
struct PoolPlace {
  bool inside;
  std::int64_t sample, c;
  int z, y, x;
};

/// Sample and place of a voxel; a sample of depth by height by width fits 31 bits.
__device__ void split_voxel(PoolPlace& at, std::int64_t voxel, std::int64_t depth, std::int64_t height, std::int64_t width) {
  const std::int64_t voxels = depth * height * width;
  at.sample = voxel <= kNarrow ? unsigned(voxel) / unsigned(voxels) : voxel / voxels;
  unsigned rest = unsigned(voxel - at.sample * voxels);
  at.x = int(rest);
  at.y = at.z = 0;
  if (height == 1 && depth == 1) return;
  at.x = int(rest % unsigned(width));
  rest /= unsigned(width);
  at.y = int(rest % unsigned(height));
  at.z = int(rest / unsigned(height));
}

/// Over voxels of depth by height by width.
template <int N>
__device__ PoolPlace pool_place(const PoolCut& k, std::int64_t depth, std::int64_t height, std::int64_t width) {
  PoolPlace at;
  const unsigned slice = blockIdx.x % k.slices;
  const std::int64_t voxels = depth * height * width, voxel = std::int64_t(blockIdx.x / k.slices) * k.ty + int(threadIdx.x) / k.tx;
  at.c = (std::int64_t(slice) * k.tx + int(threadIdx.x) % k.tx) * N;
  at.inside = at.c < k.channels && voxel < k.samples * voxels;
  if (at.inside) split_voxel(at, voxel, depth, height, width);
  return at;
}

struct WindowRange {
  int first, last;
};

/// Windows that hold input position i; PoolAxis' own rule, in 32 bits where they suffice.
__device__ WindowRange windows_of(const PoolAxis& a, int i, bool narrow) {
  if (a.in == 1 && a.out == 1) return {0, 0};
  if (!narrow || a.kernel == 0) return {int(a.first_window(i)), int(a.last_window(i))};
  const int kernel = int(a.kernel), stride = int(a.stride), padding = int(a.padding), over = i + padding - kernel + 1;
  const int first = over > 0 ? int(unsigned(over + stride - 1) / unsigned(stride)) : 0,
            last = int(unsigned(i + padding) / unsigned(stride));
  return {first, last < int(a.out) - 1 ? last : int(a.out) - 1};
}

template <int N>
__device__ std::int64_t pool_element(const PoolCut& k, const PoolPlace& at, std::int64_t voxels, std::int64_t voxel) {
  return (at.sample * voxels + voxel) * k.channels + at.c;
}

__device__ std::int64_t in_voxels(const PoolCut& k) {
  return k.z.in * k.y.in * k.x.in;
}
__device__ std::int64_t out_voxels(const PoolCut& k) {
  return k.z.out * k.y.out * k.x.out;
}

/// body(input voxel) over the window of an output, in order.
template <class Body>
__device__ void each_input(const PoolCut& k, const PoolPlace& at, const Body& body) {
  const int z1 = int(k.z.end(at.z)), y0 = int(k.y.begin(at.y)), y1 = int(k.y.end(at.y)), x0 = int(k.x.begin(at.x)), x1 = int(k.x.end(at.x));
  for (int i = int(k.z.begin(at.z)); i < z1; ++i)
    for (int j = y0; j < y1; ++j)
      for (int l = x0; l < x1; ++l) body((std::int64_t(i) * k.y.in + j) * k.x.in + l);
}

/// body(output voxel) over the windows that hold an input, in order.
template <class Body>
__device__ void each_window(const PoolCut& k, const PoolPlace& at, const Body& body) {
  const WindowRange z = windows_of(k.z, at.z, k.narrow), y = windows_of(k.y, at.y, k.narrow), x = windows_of(k.x, at.x, k.narrow);
  for (int i = z.first; i <= z.last; ++i)
    for (int j = y.first; j <= y.last; ++j)
      for (int l = x.first; l <= x.last; ++l) body((std::int64_t(i) * k.y.out + j) * k.x.out + l);
}

__device__ std::int64_t out_voxel(const PoolCut& k, const PoolPlace& at) {
  return (std::int64_t(at.z) * k.y.out + at.y) * k.x.out + at.x;
}
__device__ std::int64_t in_voxel(const PoolCut& k, const PoolPlace& at) {
  return (std::int64_t(at.z) * k.y.in + at.y) * k.x.in + at.x;
}

template <int N>
__device__ void load_index(const std::int32_t* p, std::int32_t (&to)[N]) {
  load_any<std::int32_t, N>(p, to);
}
template <int N>
__device__ void store_index(std::int32_t* p, const std::int32_t (&from)[N]) {
  if constexpr (N % 4 == 0) {  // lanes of sixteen bytes are asked for only where the index is aligned too
    alignas(16) std::int32_t raw[N];
#pragma unroll
    for (int i = 0; i < N; ++i) raw[i] = from[i];
    copy_bytes<N * 4>(p, raw);
  } else {
#pragma unroll
    for (int i = 0; i < N; ++i) p[i] = from[i];
  }
}

template <class T, int N>
__global__ void max_pool(PoolCut k, const T* x, T* y, std::int32_t* index) {
  using A = Acc<T>;
  const PoolPlace at = pool_place<N>(k, k.z.out, k.y.out, k.x.out);
  if (!at.inside) return;
  A best[N];
  std::int32_t where[N];
  bool first = true;
  each_input(k, at, [&](std::int64_t voxel) {
    A v[N];
    load_lanes<T, N>(x + pool_element<N>(k, at, in_voxels(k), voxel), v);
#pragma unroll
    for (int i = 0; i < N; ++i) {
      const bool take = first || beats(v[i], best[i]);
      best[i] = take ? v[i] : best[i];
      where[i] = take ? std::int32_t(voxel) : where[i];
    }
    first = false;
  });
  const std::int64_t to = pool_element<N>(k, at, out_voxels(k), out_voxel(k, at));
  store_lanes<T, N>(y + to, best);
  store_index<N>(index + to, where);
}

/// A maximum and its voxel; none: kNoVoxel, which every voxel is taken over.
constexpr std::int32_t kNoVoxel = std::numeric_limits<std::int32_t>::max();

/// The first of all maxima, or the first NaN, whatever the order in which they come.
template <class A>
__device__ void take_larger(A v, std::int32_t at, A& best, std::int32_t& where) {
  const bool take = beats(v, best) || (at < where && !beats(best, v));
  best = take ? v : best;
  where = take ? at : where;
}

/// left, left_at: [parts, windows, channels], where there are several parts.
template <class T, int N>
__global__ void __launch_bounds__(kBlock)
    max_pool_team(PoolCut k, WindowTeam team, const T* x, T* y, std::int32_t* index, Acc<T>* left, std::int32_t* left_at) {
  using A = Acc<T>;
  __shared__ A values[N * kBlock];
  __shared__ std::int32_t places[N * kBlock];
  const WindowPlace own(team, N);
  PoolPlace at;
  at.c = own.c;
  split_voxel(at, own.window, k.z.out, k.y.out, k.x.out);
  const int z0 = int(k.z.begin(at.z)), y0 = int(k.y.begin(at.y)), x0 = int(k.x.begin(at.x));
  A best[N];
  std::int32_t where[N];
#pragma unroll
  for (int i = 0; i < N; ++i) {
    best[i] = -std::numeric_limits<A>::infinity();
    where[i] = kNoVoxel;
  }
  each_of_window(team, own, k.z.end(at.z) - z0, int(k.y.end(at.y)) - y0, int(k.x.end(at.x)) - x0, [&](int i, int j, int l) {
    const std::int64_t voxel = (std::int64_t(z0 + i) * k.y.in + y0 + j) * k.x.in + x0 + l;
    A v[N];
    load_lanes<T, N>(x + pool_element<N>(k, at, in_voxels(k), voxel), v);
#pragma unroll
    for (int u = 0; u < N; ++u) take_larger(v[u], std::int32_t(voxel), best[u], where[u]);
  });
  const int threads = team.tx * team.ty, t = int(threadIdx.x);
#pragma unroll
  for (int i = 0; i < N; ++i) {
    values[i * threads + t] = best[i];
    places[i * threads + t] = where[i];
  }
  int half = 1;
  while (half < team.ty) half *= 2;
  for (half /= 2; half > 0; half /= 2) {
    __syncthreads();
    if (own.row >= half || own.row + half >= team.ty) continue;
#pragma unroll
    for (int i = 0; i < N; ++i) {
      take_larger(values[i * threads + t + half * team.tx], places[i * threads + t + half * team.tx], best[i], where[i]);
      values[i * threads + t] = best[i];
      places[i * threads + t] = where[i];
    }
  }
  if (own.row != 0 || own.c >= team.channels) return;
  const std::int64_t to = own.window * team.channels + own.c;
  if (team.parts > 1) {
    store_lanes<A, N>(left + own.part * team.windows * team.channels + to, best);
    store_index<N>(left_at + own.part * team.windows * team.channels + to, where);
  } else {
    store_lanes<T, N>(y + to, best);
    store_index<N>(index + to, where);
  }
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    join_window_maxima(const Acc<T>* left, const std::int32_t* left_at, unsigned parts, std::int64_t count, T* y, std::int32_t* index) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) {
    Acc<T> best = left[i];
    std::int32_t where = left_at[i];
#pragma unroll 8
    for (unsigned p = 1; p < parts; ++p) take_larger(left[p * count + i], left_at[p * count + i], best, where);
    y[i] = narrow<T>(best);
    index[i] = where;
  }
}

template <class T, int N, bool Max>
__global__ void pool_put(PoolCut k, const T* from, const std::int32_t* index, T* to, Acc<T> share) {
  using A = Acc<T>;
  const PoolPlace at = pool_place<N>(k, k.z.in, k.y.in, k.x.in);
  if (!at.inside) return;
  const std::int64_t own = in_voxel(k, at);
  A sum[N];
#pragma unroll
  for (int i = 0; i < N; ++i) sum[i] = A(0);
  each_window(k, at, [&](std::int64_t voxel) {
    const std::int64_t element = pool_element<N>(k, at, out_voxels(k), voxel);
    A v[N];
    load_lanes<T, N>(from + element, v);
    if constexpr (Max) {
      std::int32_t where[N];
      load_index<N>(index + element, where);
#pragma unroll
      for (int i = 0; i < N; ++i) sum[i] += where[i] == std::int32_t(own) ? v[i] : A(0);
    } else {
#pragma unroll
      for (int i = 0; i < N; ++i) sum[i] += v[i];
    }
  });
#pragma unroll
  for (int i = 0; i < N; ++i) sum[i] *= share;
  store_lanes<T, N>(to + pool_element<N>(k, at, in_voxels(k), own), sum);
}

template <class T, int N>
__global__ void max_pool_take(PoolCut k, const T* from, const std::int32_t* index, T* to) {
  const PoolPlace at = pool_place<N>(k, k.z.out, k.y.out, k.x.out);
  if (!at.inside) return;
  const std::int64_t element = pool_element<N>(k, at, out_voxels(k), out_voxel(k, at));
  std::int32_t where[N];
  load_index<N>(index + element, where);
  Acc<T> v[N];
#pragma unroll
  for (int i = 0; i < N; ++i) v[i] = widen<T>(from[pool_element<N>(k, at, in_voxels(k), where[i]) + i]);
  store_lanes<T, N>(to + element, v);
}

template <class T, int N>
__global__ void avg_pool(PoolCut k, const T* x, T* y, Acc<T> share) {
  using A = Acc<T>;
  const PoolPlace at = pool_place<N>(k, k.z.out, k.y.out, k.x.out);
  if (!at.inside) return;
  A sum[N];
#pragma unroll
  for (int i = 0; i < N; ++i) sum[i] = A(0);
  each_input(k, at, [&](std::int64_t voxel) {
    A v[N];
    load_lanes<T, N>(x + pool_element<N>(k, at, in_voxels(k), voxel), v);
#pragma unroll
    for (int i = 0; i < N; ++i) sum[i] += v[i];
  });
#pragma unroll
  for (int i = 0; i < N; ++i) sum[i] *= share;
  store_lanes<T, N>(y + pool_element<N>(k, at, out_voxels(k), out_voxel(k, at)), sum);
}

template <class T, int N>
__global__ void __launch_bounds__(kBlock) avg_pool_team(PoolCut k, WindowTeam team, const T* x, T* y, Acc<T>* left, Acc<T> share) {
  using A = Acc<T>;
  const WindowPlace own(team, N);
  PoolPlace at;
  at.c = own.c;
  split_voxel(at, own.window, k.z.out, k.y.out, k.x.out);
  const int z0 = int(k.z.begin(at.z)), y0 = int(k.y.begin(at.y)), x0 = int(k.x.begin(at.x));
  A sum[N];
#pragma unroll
  for (int i = 0; i < N; ++i) sum[i] = A(0);
  each_of_window(team, own, k.z.end(at.z) - z0, int(k.y.end(at.y)) - y0, int(k.x.end(at.x)) - x0, [&](int i, int j, int l) {
    A v[N];
    load_lanes<T, N>(x + pool_element<N>(k, at, in_voxels(k), (std::int64_t(z0 + i) * k.y.in + y0 + j) * k.x.in + x0 + l), v);
#pragma unroll
    for (int u = 0; u < N; ++u) sum[u] += v[u];
  });
  give_window_sum<T, N>(team, own, sum, share, y, left);
}

template <class... P, class... Given>
void start_pool(const char* name, const PoolCut& k, std::int64_t voxels, void (*kernel)(PoolCut, P...), Given... given) {
  const std::int64_t all = k.samples * voxels;
  if (all == 0 || k.channels == 0) return;
  start(name, dim3(grid_blocks((all + k.ty - 1) / k.ty * k.slices)), dim3(k.tx * k.ty), 0, kernel, k, given...);
}

/// Elements of the longest window.
std::int64_t longest_window(const Pooling& p) {
  std::int64_t n = 1;
  for (const PoolAxis& a : p.axes) n *= std::min(a.in, a.kernel > 0 ? a.kernel : (a.in + a.out - 1) / std::max<std::int64_t>(1, a.out) + 1);
  return n;
}

template <class T>
Kernel make_max_team(const Pooling& p) {
  const WindowTeam team(p.samples * p.out_voxels(), p.channels, longest_window(p), kLanes<T>);
  const std::int64_t left = team.parts > 1 ? team.parts * team.results() : 0;
  auto space = scratch(std::size_t(left) * (sizeof(Acc<T>) + sizeof(std::int32_t)));
  return [=](void* const* o) {
    const T* x = static_cast<const T*>(o[0]);
    T* y = static_cast<T*>(o[1]);
    std::int32_t* index = static_cast<std::int32_t*>(o[2]);
    auto* values = space->template as<Acc<T>>();
    auto* places = reinterpret_cast<std::int32_t*>(values + left);
    if (team.results() == 0) return;
    by_lanes<T>(p.channels, {x, y, index}, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      const WindowTeam k = team.with(N);
      start("max_pool", dim3(k.blocks()), dim3(unsigned(k.tx * k.ty)), 0, max_pool_team<T, N>, pool_cut(p, N), k, x, y, index, values,
            places);
    });
    if (team.parts > 1)
      start_items("max_pool", team.results(), join_window_maxima<T>, static_cast<const Acc<T>*>(values),
                  static_cast<const std::int32_t*>(places), team.parts, team.results(), y, index);
  };
}

template <class T>
Kernel make_avg_team(const Pooling& p) {
  const WindowTeam team(p.samples * p.out_voxels(), p.channels, longest_window(p), kLanes<T>);
  auto space = scratch(team.parts > 1 ? team.parts * std::size_t(team.results()) * sizeof(Acc<T>) : 0);
  return [=](void* const* o) {
    const T* x = static_cast<const T*>(o[0]);
    T* y = static_cast<T*>(o[1]);
    auto* left = space->template as<Acc<T>>();
    const auto share = Acc<T>(1.0 / double(p.window()));
    if (team.results() == 0) return;
    by_lanes<T>(p.channels, {x, y}, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      const WindowTeam k = team.with(N);
      start("avg_pool", dim3(k.blocks()), dim3(unsigned(k.tx * k.ty)), 0, avg_pool_team<T, N>, pool_cut(p, N), k, x, y, left, share);
    });
    if (team.parts > 1)
      start_items("avg_pool", team.results(), join_window_sums<T>, static_cast<const Acc<T>*>(left), team.parts, team.results(), share, y);
  };
}

template <class T>
Kernel make_max(const Pooling& p) {
  if (shares_windows(p.samples * p.out_voxels(), p.channels, longest_window(p), kLanes<T>)) return make_max_team<T>(p);
  return [p](void* const* o) {
    const T* x = static_cast<const T*>(o[0]);
    T* y = static_cast<T*>(o[1]);
    std::int32_t* index = static_cast<std::int32_t*>(o[2]);
    by_lanes<T>(p.channels, {x, y, index}, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      start_pool("max_pool", pool_cut(p, N), p.out_voxels(), max_pool<T, N>, x, y, index);
    });
  };
}

template <class T, bool Max>
Kernel make_put(const Pooling& p) {
  return [p](void* const* o) {
    const T* from = static_cast<const T*>(o[0]);
    const std::int32_t* index = Max ? static_cast<const std::int32_t*>(o[1]) : nullptr;
    T* to = static_cast<T*>(o[Max ? 2 : 1]);
    by_lanes<T>(p.channels, {from, to}, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      start_pool("pool_put", pool_cut(p, N), p.in_voxels(), pool_put<T, N, Max>, from, index, to,
                 Acc<T>(Max ? 1.0 : 1.0 / double(p.window())));
    });
  };
}

template <class T>
Kernel make_take(const Pooling& p) {
  return [p](void* const* o) {
    const T* from = static_cast<const T*>(o[0]);
    const std::int32_t* index = static_cast<const std::int32_t*>(o[1]);
    T* to = static_cast<T*>(o[2]);
    by_lanes<T>(p.channels, {to}, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      start_pool("max_pool_take", pool_cut(p, N), p.out_voxels(), max_pool_take<T, N>, from, index, to);
    });
  };
}

template <class T>
Kernel make_avg(const Pooling& p) {
  if (shares_windows(p.samples * p.out_voxels(), p.channels, longest_window(p), kLanes<T>)) return make_avg_team<T>(p);
  return [p](void* const* o) {
    const T* x = static_cast<const T*>(o[0]);
    T* y = static_cast<T*>(o[1]);
    by_lanes<T>(p.channels, {x, y}, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      start_pool("avg_pool", pool_cut(p, N), p.out_voxels(), avg_pool<T, N>, x, y, Acc<T>(1.0 / double(p.window())));
    });
  };
}

#define TENON_POOL_KERNEL(op, ...)                                  \
  [](const Pooling& p) -> Kernel {                                  \
    return dispatch_floating(op, p.dtype, [&](auto tag) -> Kernel { \
      using T = typename decltype(tag)::type;                       \
      return __VA_ARGS__(p);                                        \
    });                                                             \
  }

}  // namespace

void install_pool() {
  max_pool_kernel.set(DeviceType::cuda, TENON_POOL_KERNEL("max_pool", make_max<T>));
  max_pool_put_kernel.set(DeviceType::cuda, TENON_POOL_KERNEL("max_pool", make_put<T, true>));
  max_pool_take_kernel.set(DeviceType::cuda, TENON_POOL_KERNEL("max_pool", make_take<T>));
  avg_pool_kernel.set(DeviceType::cuda, TENON_POOL_KERNEL("avg_pool", make_avg<T>));
  avg_pool_put_kernel.set(DeviceType::cuda, TENON_POOL_KERNEL("avg_pool", make_put<T, false>));
}

}  // namespace tenon::cuda
