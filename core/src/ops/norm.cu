/// Channel norms on the device: statistics and the normalisation itself.
#include "ops/norm.cuh"

#include "backend/cuda/install.hpp"

namespace tenon::cuda {
namespace {

/// Where statistics go; none: partial sums are for other kernels to finish.
template <class A>
struct StatsTo {
  A *mean, *var, *rstd;
  double eps;
};

template <class A>
__device__ void store_stats(const StatsTo<A>& to, std::int64_t group, double mean, double variance) {
  to.mean[group] = A(mean);
  to.var[group] = A(variance);
  to.rstd[group] = A(1 / sqrt(variance + to.eps));
}

/// partial: sum and sum of squares a chunk and channel, of what x is above the sample's first voxel: in f64 that one common reference is as
/// good as a mean. Within a thread, in f32, the reference is the thread's own first value.
template <class T, int N>
__global__ void norm_stats(NormCut k, const T* x, double* partial, StatsTo<Acc<T>> to) {
  using A = Acc<T>;
  const NormPlace at = norm_place<N>(k, false);
  double total[2 * N];
#pragma unroll
  for (int i = 0; i < 2 * N; ++i) total[i] = 0;
  if (at.count > 0) {
    A reference[N], centre[N], sum[N], square[N];
    load_lanes<T, N>(x + at.sample * k.voxels * k.channels + at.c, reference);
    const T* p = x + first_element<N>(k, at);
    const std::int64_t step = k.rows * k.channels;
    load_lanes<T, N>(p, centre);
#pragma unroll
    for (int i = 0; i < N; ++i) sum[i] = square[i] = A(0);
#pragma unroll 8
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
  double* shared = dynamic_shared<double>();
  sum_tile_runs<double, 2 * N>(total, shared, k.tx, k.ty, k.rows);
  store_totals<N>(k, at, total, partial);
  if (!to.mean || !is_last_block(at.sample * k.slices + at.slice, k.chunks)) return;
  fold_slice<N>(k, at.slice, partial + at.sample * k.chunks * 2 * k.channels, 2 * k.channels, k.chunks, shared);
  const T* reference = x + at.sample * k.voxels * k.channels;
  const double n = double(k.voxels);
  for (int i = int(threadIdx.x); i < k.tx * N; i += k.tx * k.ty) {
    const std::int64_t c = channel_of(k, at.slice, N, i);
    if (c >= k.channels) break;
    const double sum = shared[i], off = sum / n, m2 = shared[k.tx * N + i] - sum * off;
    store_stats(to, at.sample * k.channels + c, double(widen<T>(reference[c])) + off, (m2 < 0 ? 0 : m2) / n);
  }
}

/// A team of 32 lanes (1 where a group is one channel) for each sample and group; partial is folded.
template <class T>
__global__ void norm_stats_finish(NormCut k, int team, const T* x, const double* partial, StatsTo<Acc<T>> to) {
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
  if (lane == 0) store_stats(to, group, all.mean, all.m2 / all.count);
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
  const std::int64_t begin = first_element<N>(k, at), step = k.rows * k.channels;
  x += begin;
  y += begin;
  int v = 0;
  for (; v + 4 <= at.count; v += 4, x += 4 * step, y += 4 * step) apply_voxels<T, N, 4>(x, y, step, with, slope);
  for (; v < at.count; ++v, x += step, y += step) apply_voxels<T, N, 1>(x, y, step, with, slope);
}

template <class A, class R>
__global__ void move_running(const A* mean, const A* var, R* running_mean, R* running_var, std::int64_t channels, double unbias,
                             double momentum) {
  const std::int64_t c = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (c >= channels) return;
  running_mean[c] = R(double(running_mean[c]) + momentum * (double(mean[c]) - double(running_mean[c])));
  running_var[c] = R(double(running_var[c]) + momentum * (double(var[c]) * unbias - double(running_var[c])));
}

template <class T>
void run_stats(const ChannelNorm& p, void* const* o) {
  using A = Acc<T>;
  const T* x = static_cast<const T*>(o[0]);
  double* partial = static_cast<double*>(o[1]);
  const StatsTo<A> to{static_cast<A*>(o[2]), static_cast<A*>(o[3]), static_cast<A*>(o[4]), p.eps};
  by_lanes<T>(p.channels, {x}, [&](auto lanes) {
    constexpr int N = decltype(lanes)::value;
    const NormCut k = cut_for_sums(p, N);
    const int threads = k.tx * k.ty, team = finish_team(p);
    const bool whole = finishes_itself<N>(k);
    start("norm_stats", dim3(k.blocks()), dim3(threads), sizeof(double) * 2 * N * threads, norm_stats<T, N>, k, x, partial, whole ? to : StatsTo<A>{});
    if (whole) return;
    fold_rows<double>("norm_stats_fold", partial, p.samples, k.chunks, 2 * p.channels);
    start("norm_stats_finish", dim3(finish_blocks(p.samples * p.groups * team)), dim3(kBlock), 0, norm_stats_finish<T>, k, team, x,
          partial, to);
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
