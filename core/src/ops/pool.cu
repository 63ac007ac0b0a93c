/// Pooling on the device: a thread takes neighbouring channels of one voxel, gathering in both directions.
#include "backend/cuda/columns.cuh"
#include "backend/cuda/install.hpp"
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

/// Over voxels of depth by height by width, a sample of which fits 31 bits.
template <int N>
__device__ PoolPlace pool_place(const PoolCut& k, std::int64_t depth, std::int64_t height, std::int64_t width) {
  PoolPlace at;
  const unsigned slice = blockIdx.x % k.slices;
  const std::int64_t voxels = depth * height * width, voxel = std::int64_t(blockIdx.x / k.slices) * k.ty + int(threadIdx.x) / k.tx;
  at.c = (std::int64_t(slice) * k.tx + int(threadIdx.x) % k.tx) * N;
  at.inside = at.c < k.channels && voxel < k.samples * voxels;
  if (!at.inside) return at;
  at.sample = voxel <= kNarrow ? unsigned(voxel) / unsigned(voxels) : voxel / voxels;
  unsigned rest = unsigned(voxel - at.sample * voxels);
  at.x = int(rest);
  at.y = at.z = 0;
  if (height == 1 && depth == 1) return at;
  at.x = int(rest % unsigned(width));
  rest /= unsigned(width);
  at.y = int(rest % unsigned(height));
  at.z = int(rest / unsigned(height));
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

template <class... P, class... Given>
void start_pool(const char* name, const PoolCut& k, std::int64_t voxels, void (*kernel)(PoolCut, P...), Given... given) {
  const std::int64_t all = k.samples * voxels;
  if (all == 0 || k.channels == 0) return;
  start(name, dim3(grid_blocks((all + k.ty - 1) / k.ty * k.slices)), dim3(k.tx * k.ty), 0, kernel, k, given...);
}

template <class T>
Kernel make_max(const Pooling& p) {
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
