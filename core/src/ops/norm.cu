/// Channel norms on the device. x is [samples, voxels, channels]; a block takes a run of voxels of one sample, and a thread of it the same
/// few channels of every ty-th voxel, so its coefficients stay in registers and neighbours read neighbouring memory.
#include "backend/cuda/columns.cuh"
#include "backend/cuda/install.hpp"
#include "kernels/norm.hpp"
#include "ops/dispatch.hpp"
#include "ops/norm_kernels.hpp"

namespace tenon::cuda {
namespace {

/// The shape, and how blocks are laid over it: `chunks` of `chunk` voxels a sample, `slices` of tx packs of channels.
struct NormCut {
  std::int64_t samples, voxels, channels, groups, width, chunk;
  unsigned chunks, slices;
  int tx, ty;
  unsigned blocks() const { return grid_blocks(samples * chunks * slices); }
};

/// `chunk` as the partial sums have it.
NormCut cut_for_sums(const ChannelNorm& p, int lanes) {
  const std::int64_t chunks = p.chunks();
  const ColumnTile t = column_tile(p.channels / lanes, p.samples * chunks);
  return {p.samples, p.voxels, p.channels, p.groups, p.channels / p.groups, p.chunk(), grid_blocks(chunks), t.slices, t.tx, t.ty};
}

/// No partial sums: chunks as long as pay for the coefficients, shorter where that leaves too few blocks.
NormCut cut_for_items(const ChannelNorm& p, int lanes) {
  const ColumnTile t = column_tile(p.channels / lanes, kFillBlocks);
  std::int64_t turns = 16;
  auto chunks = [&] { return (p.voxels + t.ty * turns - 1) / (t.ty * turns); };
  while (turns > 1 && p.samples * chunks() * t.slices < kFillBlocks) turns /= 2;
  return {p.samples, p.voxels, p.channels, p.groups, p.channels / p.groups, t.ty * turns, grid_blocks(chunks()), t.slices, t.tx, t.ty};
}

/// A thread's share: channels from c of `count` voxels from `voxel`, every ty-th.
struct NormPlace {
  std::int64_t sample, chunk, c, voxel;
  int row, count;
};

/// Backwards: the pass before has left the end in the cache.
template <int N>
__device__ NormPlace norm_place(const NormCut& k, bool backwards) {
  unsigned block = backwards ? gridDim.x - 1 - blockIdx.x : blockIdx.x;
  const unsigned slice = block % k.slices;
  block /= k.slices;
  NormPlace at;
  at.chunk = block % k.chunks;
  at.sample = block / k.chunks;
  at.row = int(threadIdx.x) / k.tx;
  at.c = (std::int64_t(slice) * k.tx + int(threadIdx.x) % k.tx) * N;
  const std::int64_t first = at.chunk * k.chunk, n = k.voxels - first < k.chunk ? k.voxels - first : k.chunk;
  at.voxel = first + at.row;
  at.count = at.c < k.channels && at.row < n ? int((n - at.row + k.ty - 1) / k.ty) : 0;
  return at;
}

template <int N>
__device__ std::int64_t first_element(const NormCut& k, const NormPlace& at) {
  return (at.sample * k.voxels + at.voxel) * k.channels + at.c;
}

template <class A, int N>
struct Coefficients {
  A mean[N], gain[N], shift[N];

  __device__ Coefficients(const NormCut& k, const NormPlace& at, const A* means, const A* rstds, const A* scale, const A* shifts) {
    A rstd[N], factor[N];
    if (k.width == 1) {
      load_any<A, N>(means + at.sample * k.groups + at.c, mean);
      load_any<A, N>(rstds + at.sample * k.groups + at.c, rstd);
    } else {
#pragma unroll
      for (int i = 0; i < N; ++i) {
        const std::int64_t group = at.sample * k.groups + unsigned(at.c + i) / unsigned(k.width);
        mean[i] = means[group];
        rstd[i] = rstds[group];
      }
    }
    load_any<A, N>(scale + at.c, factor);
    load_any<A, N>(shifts + at.c, shift);
#pragma unroll
    for (int i = 0; i < N; ++i) gain[i] = rstd[i] * factor[i];
  }
};

/// partial: sum and sum of squares a chunk and channel, of what x is above the sample's first voxel: in f64 that one common reference is as
/// good as a mean. Within a thread, in f32, the reference is the thread's own first value.
template <class T, int N>
__global__ void norm_stats(NormCut k, const T* x, double* partial) {
  using A = Acc<T>;
  const NormPlace at = norm_place<N>(k, false);
  double total[2 * N];
#pragma unroll
  for (int i = 0; i < 2 * N; ++i) total[i] = 0;
  if (at.count > 0) {
    A reference[N], centre[N], sum[N], square[N];
    load_lanes<T, N>(x + at.sample * k.voxels * k.channels + at.c, reference);
    const T* p = x + first_element<N>(k, at);
    const std::int64_t step = k.ty * k.channels;
    load_lanes<T, N>(p, centre);
#pragma unroll
    for (int i = 0; i < N; ++i) sum[i] = square[i] = A(0);
#pragma unroll 4
    for (int v = 0; v < at.count; ++v, p += step) {
      A value[N];
      load_lanes<T, N>(p, value);
#pragma unroll
      for (int i = 0; i < N; ++i) {
        const A d = value[i] - centre[i];
        sum[i] += d;
        square[i] += d * d;
      }
    }
    const double n = double(at.count);
#pragma unroll
    for (int i = 0; i < N; ++i) {
      const double off = double(centre[i]) - double(reference[i]), s = double(sum[i]);
      total[i] = s + n * off;
      total[N + i] = double(square[i]) + off * (2 * s + n * off);
    }
  }
  sum_tile_rows<double, 2 * N>(total, dynamic_shared<double>(), k.tx, k.ty);
  if (at.row != 0 || at.c >= k.channels) return;
  double* out = partial + (at.sample * k.chunks + at.chunk) * 2 * k.channels + at.c;
#pragma unroll
  for (int i = 0; i < N; ++i) {
    out[i] = total[i];
    out[k.channels + i] = total[N + i];
  }
}

/// A team of 32 lanes (1 where a group is one channel) for each sample and group; partial is folded.
template <class T>
__global__ void norm_stats_finish(NormCut k, int team, double eps, const T* x, const double* partial, Acc<T>* mean, Acc<T>* var,
                                  Acc<T>* rstd) {
  using A = Acc<T>;
  const std::int64_t id = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x, group = id / team;
  const int lane = int(id % team);
  if (group >= k.samples * k.groups) return;  // a whole team at once
  const std::int64_t sample = group / k.groups, first = group % k.groups * k.width;
  const double* in = partial + sample * k.chunks * 2 * k.channels;
  const T* reference = x + sample * k.voxels * k.channels;
  const double n = double(k.voxels);
  Moments all;
  for (std::int64_t c = first + lane; c < first + k.width; c += team) {
    const double off = in[c] / n, m2 = in[k.channels + c] - in[c] * off;
    all.merge(n, double(widen<T>(reference[c])) + off, m2 < 0 ? 0 : m2);
  }
  for (int o = team / 2; o > 0; o /= 2) {
    const double count = __shfl_down_sync(0xffffffffu, all.count, o), middle = __shfl_down_sync(0xffffffffu, all.mean, o),
                 m2 = __shfl_down_sync(0xffffffffu, all.m2, o);
    if (lane + o < team) all.merge(count, middle, m2);
  }
  if (lane != 0) return;
  const double v = all.m2 / all.count;
  mean[group] = A(all.mean);
  var[group] = A(v);
  rstd[group] = A(1 / sqrt(v + eps));
}

template <class T, int N, int U>
__device__ void apply_voxels(const T* x, T* y, std::int64_t step, const Coefficients<Acc<T>, N>& at, Acc<T> slope) {
  Acc<T> value[U][N];
#pragma unroll
  for (int u = 0; u < U; ++u) load_lanes<T, N>(x + u * step, value[u]);
#pragma unroll
  for (int u = 0; u < U; ++u) {
#pragma unroll
    for (int i = 0; i < N; ++i) value[u][i] = leaky(norm_affine(value[u][i], at.mean[i], at.gain[i], at.shift[i]), slope);
    store_lanes<T, N>(y + u * step, value[u]);
  }
}

template <class T, int N>
__global__ void norm_apply(NormCut k, const T* x, const Acc<T>* mean, const Acc<T>* rstd, const Acc<T>* scale, const Acc<T>* shift,
                           Acc<T> slope, T* y) {
  const NormPlace at = norm_place<N>(k, true);
  if (at.count == 0) return;
  const Coefficients<Acc<T>, N> with(k, at, mean, rstd, scale, shift);
  const std::int64_t begin = first_element<N>(k, at), step = k.ty * k.channels;
  x += begin;
  y += begin;
  int v = 0;
  for (; v + 4 <= at.count; v += 4, x += 4 * step, y += 4 * step) apply_voxels<T, N, 4>(x, y, step, with, slope);
  for (; v < at.count; ++v, x += step, y += step) apply_voxels<T, N, 1>(x, y, step, with, slope);
}

/// partial: sums of g and g (x - mean) a chunk and channel.
template <class T, int N>
__global__ void norm_sums(NormCut k, const T* x, const T* dy, const Acc<T>* mean, const Acc<T>* rstd, const Acc<T>* scale,
                          const Acc<T>* shift, Acc<T> slope, double* partial) {
  using A = Acc<T>;
  const NormPlace at = norm_place<N>(k, false);
  A sum[2 * N];
#pragma unroll
  for (int i = 0; i < 2 * N; ++i) sum[i] = A(0);
  if (at.count > 0) {
    const Coefficients<A, N> with(k, at, mean, rstd, scale, shift);
    const std::int64_t begin = first_element<N>(k, at), step = k.ty * k.channels;
    x += begin;
    dy += begin;
#pragma unroll 2
    for (int v = 0; v < at.count; ++v, x += step, dy += step) {
      A value[N], g[N];
      load_lanes<T, N>(x, value);
      load_lanes<T, N>(dy, g);
#pragma unroll
      for (int i = 0; i < N; ++i) {
        const A centred = value[i] - with.mean[i], pulled = leaky_gradient(g[i], centred * with.gain[i] + with.shift[i], slope);
        sum[i] += pulled;
        sum[N + i] += pulled * centred;
      }
    }
  }
  double total[2 * N];
#pragma unroll
  for (int i = 0; i < 2 * N; ++i) total[i] = double(sum[i]);
  sum_tile_rows<double, 2 * N>(total, dynamic_shared<double>(), k.tx, k.ty);
  if (at.row != 0 || at.c >= k.channels) return;
  double* out = partial + (at.sample * k.chunks + at.chunk) * 2 * k.channels + at.c;
#pragma unroll
  for (int i = 0; i < N; ++i) {
    out[i] = total[i];
    out[k.channels + i] = total[N + i];
  }
}

/// Teams for the pulls of samples and groups, then a thread for each channel's gradients; partial is folded.
template <class A>
__global__ void norm_sums_finish(NormCut k, int team, bool frozen, const A* rstd, const A* scale, const double* partial, A* d_scale,
                                 A* d_shift, A* pull) {
  const std::int64_t id = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x, teams = k.samples * k.groups, C = k.channels;
  const std::int64_t row = k.chunks * 2 * C;
  if (id >= teams * team) {
    const std::int64_t c = id - teams * team;
    if (c >= C) return;
    double shift_sum = 0, scale_sum = 0;
    for (std::int64_t s = 0; s < k.samples; ++s) {
      shift_sum += partial[s * row + c];
      scale_sum += partial[s * row + C + c] * double(rstd[s * k.groups + c / k.width]);
    }
    d_shift[c] = A(shift_sum);
    d_scale[c] = A(scale_sum);
    return;
  }
  const std::int64_t group = id / team, sample = group / k.groups, first = group % k.groups * k.width;
  const int lane = int(id % team);
  const double* in = partial + sample * row;
  const double r = double(rstd[group]);
  double mean1 = 0, mean2 = 0;
  for (std::int64_t c = first + lane; c < first + k.width; c += team) {
    mean1 += double(scale[c]) * in[c];
    mean2 += double(scale[c]) * (in[C + c] * r);
  }
  for (int o = team / 2; o > 0; o /= 2) {
    mean1 += __shfl_xor_sync(0xffffffffu, mean1, o);
    mean2 += __shfl_xor_sync(0xffffffffu, mean2, o);
  }
  const double count = double(k.voxels) * double(k.width);
  NormPull<A> to{A(0), A(0)};
  if (!frozen) to = norm_pull<A>(mean1 / count, mean2 / count, r);
  for (std::int64_t c = first + lane; c < first + k.width; c += team) {
    pull[sample * 2 * C + c] = to.offset;
    pull[sample * 2 * C + C + c] = to.pull;
  }
}

template <class T, int N, int U>
__device__ void gradient_voxels(const T* x, const T* dy, T* dx, std::int64_t step, const Coefficients<Acc<T>, N>& at,
                                const Acc<T> (&offset)[N], const Acc<T> (&pull)[N], Acc<T> slope) {
  using A = Acc<T>;
  A value[U][N], g[U][N];
#pragma unroll
  for (int u = 0; u < U; ++u) {
    load_lanes<T, N>(x + u * step, value[u]);
    load_lanes<T, N>(dy + u * step, g[u]);
  }
#pragma unroll
  for (int u = 0; u < U; ++u) {
#pragma unroll
    for (int i = 0; i < N; ++i) {
      const A centred = value[u][i] - at.mean[i], pulled = leaky_gradient(g[u][i], centred * at.gain[i] + at.shift[i], slope);
      value[u][i] = norm_input_gradient(pulled, centred, at.gain[i], offset[i], pull[i]);
    }
    store_lanes<T, N>(dx + u * step, value[u]);
  }
}

template <class T, int N>
__global__ void norm_gradient(NormCut k, const T* x, const T* dy, const Acc<T>* mean, const Acc<T>* rstd, const Acc<T>* scale,
                              const Acc<T>* shift, const Acc<T>* pulls, Acc<T> slope, T* dx) {
  const NormPlace at = norm_place<N>(k, true);
  if (at.count == 0) return;
  const Coefficients<Acc<T>, N> with(k, at, mean, rstd, scale, shift);
  Acc<T> offset[N], pull[N];
  load_any<Acc<T>, N>(pulls + at.sample * 2 * k.channels + at.c, offset);
  load_any<Acc<T>, N>(pulls + at.sample * 2 * k.channels + k.channels + at.c, pull);
  const std::int64_t begin = first_element<N>(k, at), step = k.ty * k.channels;
  x += begin;
  dy += begin;
  dx += begin;
  int v = 0;
  for (; v + 2 <= at.count; v += 2, x += 2 * step, dy += 2 * step, dx += 2 * step)
    gradient_voxels<T, N, 2>(x, dy, dx, step, with, offset, pull, slope);
  for (; v < at.count; ++v, x += step, dy += step, dx += step) gradient_voxels<T, N, 1>(x, dy, dx, step, with, offset, pull, slope);
}

template <class A, class R>
__global__ void move_running(const A* mean, const A* var, R* running_mean, R* running_var, std::int64_t channels, double unbias,
                             double momentum) {
  const std::int64_t c = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (c >= channels) return;
  running_mean[c] = R(double(running_mean[c]) + momentum * (double(mean[c]) - double(running_mean[c])));
  running_var[c] = R(double(running_var[c]) + momentum * (double(var[c]) * unbias - double(running_var[c])));
}

int finish_team(const ChannelNorm& p) {
  return p.channels == p.groups ? 1 : 32;
}
unsigned finish_blocks(std::int64_t threads) {
  return grid_blocks((threads + kBlock - 1) / kBlock);
}

template <class T>
void run_stats(const ChannelNorm& p, void* const* o) {
  using A = Acc<T>;
  const T* x = static_cast<const T*>(o[0]);
  double* partial = static_cast<double*>(o[1]);
  A *mean = static_cast<A*>(o[2]), *var = static_cast<A*>(o[3]), *rstd = static_cast<A*>(o[4]);
  by_lanes<T>(p.channels, {x}, [&](auto lanes) {
    constexpr int N = decltype(lanes)::value;
    const NormCut k = cut_for_sums(p, N);
    const int threads = k.tx * k.ty, team = finish_team(p);
    start("norm_stats", dim3(k.blocks()), dim3(threads), sizeof(double) * 2 * N * threads, norm_stats<T, N>, k, x, partial);
    fold_rows<double>("norm_stats_fold", partial, p.samples, k.chunks, 2 * p.channels);
    start("norm_stats_finish", dim3(finish_blocks(p.samples * p.groups * team)), dim3(kBlock), 0, norm_stats_finish<T>, k, team, p.eps, x,
          partial, mean, var, rstd);
  });
}

template <class T>
void run_apply(const ChannelNorm& p, void* const* o) {
  using A = Acc<T>;
  const T* x = static_cast<const T*>(o[0]);
  T* y = static_cast<T*>(o[5]);
  by_lanes<T>(p.channels, {x, y}, [&](auto lanes) {
    constexpr int N = decltype(lanes)::value;
    const NormCut k = cut_for_items(p, N);
    start("norm_apply", dim3(k.blocks()), dim3(k.tx * k.ty), 0, norm_apply<T, N>, k, x, static_cast<const A*>(o[1]),
          static_cast<const A*>(o[2]), static_cast<const A*>(o[3]), static_cast<const A*>(o[4]), A(p.slope), y);
  });
}

template <class T>
void run_sums(const ChannelNorm& p, void* const* o) {
  using A = Acc<T>;
  const T *x = static_cast<const T*>(o[0]), *dy = static_cast<const T*>(o[1]);
  const A *mean = static_cast<const A*>(o[2]), *rstd = static_cast<const A*>(o[3]), *scale = static_cast<const A*>(o[4]),
          *shift = static_cast<const A*>(o[5]);
  double* partial = static_cast<double*>(o[6]);
  A *d_scale = static_cast<A*>(o[7]), *d_shift = static_cast<A*>(o[8]), *pull = static_cast<A*>(o[9]);
  by_lanes<T>(p.channels, {x, dy}, [&](auto lanes) {
    constexpr int N = decltype(lanes)::value;
    const NormCut k = cut_for_sums(p, N);
    const int threads = k.tx * k.ty, team = finish_team(p);
    start("norm_sums", dim3(k.blocks()), dim3(threads), sizeof(double) * 2 * N * threads, norm_sums<T, N>, k, x, dy, mean, rstd, scale,
          shift, A(p.slope), partial);
    fold_rows<double>("norm_sums_fold", partial, p.samples, k.chunks, 2 * p.channels);
    start("norm_sums_finish", dim3(finish_blocks(p.samples * p.groups * team + p.channels)), dim3(kBlock), 0, norm_sums_finish<A>, k, team,
          p.frozen, rstd, scale, partial, d_scale, d_shift, pull);
  });
}

template <class T>
void run_gradient(const ChannelNorm& p, void* const* o) {
  using A = Acc<T>;
  const T *x = static_cast<const T*>(o[0]), *dy = static_cast<const T*>(o[1]);
  T* dx = static_cast<T*>(o[7]);
  by_lanes<T>(p.channels, {x, dy, dx}, [&](auto lanes) {
    constexpr int N = decltype(lanes)::value;
    const NormCut k = cut_for_items(p, N);
    start("norm_gradient", dim3(k.blocks()), dim3(k.tx * k.ty), 0, norm_gradient<T, N>, k, x, dy, static_cast<const A*>(o[2]),
          static_cast<const A*>(o[3]), static_cast<const A*>(o[4]), static_cast<const A*>(o[5]), static_cast<const A*>(o[6]), A(p.slope),
          dx);
  });
}

#define TENON_NORM_KERNEL(function)                                                                                                      \
  [](const ChannelNorm& p) -> Kernel {                                                                                                   \
    return dispatch_floating("normalisation", p.dtype,                                                                                   \
                             [&](auto tag) -> Kernel { return [p](void* const* o) { function<typename decltype(tag)::type>(p, o); }; }); \
  }

template <class A, class R>
Kernel running(std::int64_t channels, std::int64_t count, double momentum) {
  const double unbias = count > 1 ? double(count) / double(count - 1) : 1.0;
  return [=](void* const* o) {
    start("batch_norm_running", dim3(finish_blocks(channels)), dim3(kBlock), 0, move_running<A, R>, static_cast<const A*>(o[0]),
          static_cast<const A*>(o[1]), static_cast<R*>(o[2]), static_cast<R*>(o[3]), channels, unbias, momentum);
  };
}

}  // namespace

void install_norm() {
  channel_norm_stats_kernel.set(DeviceType::cuda, TENON_NORM_KERNEL(run_stats));
  channel_norm_apply_kernel.set(DeviceType::cuda, TENON_NORM_KERNEL(run_apply));
  channel_norm_sums_kernel.set(DeviceType::cuda, TENON_NORM_KERNEL(run_sums));
  channel_norm_gradient_kernel.set(DeviceType::cuda, TENON_NORM_KERNEL(run_gradient));
  running_stats_kernel.set(DeviceType::cuda,
                           [](DType batch, DType running_type, std::int64_t channels, std::int64_t count, double momentum) -> Kernel {
                             if (batch == DType::f64)
                               return running_type == DType::f64 ? running<double, double>(channels, count, momentum)
                                                                 : running<double, float>(channels, count, momentum);
                             return running_type == DType::f64 ? running<float, double>(channels, count, momentum)
                                                               : running<float, float>(channels, count, momentum);
                           });
}

}  // namespace tenon::cuda
