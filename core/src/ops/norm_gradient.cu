/// Channel norms on the device: the gradients.
#include "backend/cuda/install.hpp"
#include "ops/norm.cuh"

namespace tenon::cuda {
namespace {

/// Where gradients and pulls go; none: partial sums are for other kernels to finish.
template <class A>
struct SumsTo {
  A *d_scale, *d_shift, *pull;
  bool frozen;

  /// What a group pulls at each of its values, given the means of scaled sums.
  __device__ NormPull<A> pull_of(double mean1, double mean2, double rstd) const {
    return frozen ? NormPull<A>{A(0), A(0)} : norm_pull<A>(mean1, mean2, rstd);
  }
};

/// The last block of a sample's slice: its pulls, and what it adds to gradients in the first chunk's place; the last one of the slice: the gradients over samples.
template <class A, int N>
__device__ void finish_slice(const NormCut& k, const NormPlace& at, const A* rstd, const A* scale, double* partial, const SumsTo<A>& to, double* shared) {
  const int threads = k.tx * k.ty, own = k.tx * N;
  const std::int64_t C = k.channels, row = k.chunks * 2 * C;
  if (!is_last_block(at.sample * k.slices + at.slice, k.chunks)) return;
  fold_slice<N>(k, at.slice, partial + at.sample * row, 2 * C, k.chunks, shared);
  const double count = double(k.voxels);
  for (int i = int(threadIdx.x); i < own; i += threads) {
    const std::int64_t c = channel_of(k, at.slice, N, i);
    if (c >= C) break;
    const double first = shared[i], second = shared[own + i], r = double(rstd[at.sample * C + c]), s = double(scale[c]);
    const NormPull<A> pull = to.pull_of(s * first / count, s * (second * r) / count, r);
    to.pull[at.sample * 2 * C + c] = pull.offset;
    to.pull[at.sample * 2 * C + C + c] = pull.pull;
    partial[at.sample * row + c] = first;
    partial[at.sample * row + C + c] = second * r;
  }
  if (!is_last_block(k.samples * k.slices + at.slice, unsigned(k.samples))) return;
  fold_slice<N>(k, at.slice, partial, row, unsigned(k.samples), shared);
  for (int i = int(threadIdx.x); i < own; i += threads) {
    const std::int64_t c = channel_of(k, at.slice, N, i);
    if (c >= C) break;
    to.d_shift[c] = A(shared[i]);
    to.d_scale[c] = A(shared[own + i]);
  }
}

/// partial: sums of g and g (x - mean) a chunk and channel.
template <class T, int N>
__global__ void norm_sums(NormCut k, const T* x, const T* dy, const Acc<T>* mean, const Acc<T>* rstd, const Acc<T>* scale,
                          const Acc<T>* shift, Acc<T> slope, double* partial, SumsTo<Acc<T>> to) {
  using A = Acc<T>;
  const NormPlace at = norm_place<N>(k, false);
  A sum[2 * N];
#pragma unroll
  for (int i = 0; i < 2 * N; ++i) sum[i] = A(0);
  if (at.count > 0) {
    const Coefficients<A, N> with(k, at, mean, rstd, scale, shift);
    const std::int64_t begin = first_element<N>(k, at), step = k.rows * k.channels;
    x += begin;
    dy += begin;
#pragma unroll 4
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
  double* shared = dynamic_shared<double>();
  sum_tile_runs<double, 2 * N>(total, shared, k.tx, k.ty, k.rows);
  store_totals<N>(k, at, total, partial);
  if (to.pull) finish_slice<A, N>(k, at, rstd, scale, partial, to, shared);
}

/// Teams for the pulls of samples and groups; partial is folded. Then a thread for each channel's gradients, where the samples are few; else
/// partial becomes what each sample adds to them.
template <class A>
__global__ void norm_sums_finish(NormCut k, int team, const A* rstd, const A* scale, double* partial, SumsTo<A> to, bool few) {
  const std::int64_t id = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x, teams = k.samples * k.groups, C = k.channels;
  const std::int64_t row = k.chunks * 2 * C;
  if (id >= teams * team) {
    const std::int64_t c = id - teams * team;
    if (c >= C || !few) return;
    double shift_sum = 0, scale_sum = 0;
#pragma unroll 4
    for (std::int64_t s = 0; s < k.samples; ++s) {
      shift_sum += partial[s * row + c];
      scale_sum += partial[s * row + C + c] * double(rstd[s * k.groups + c / k.width]);
    }
    to.d_shift[c] = A(shift_sum);
    to.d_scale[c] = A(scale_sum);
    return;
  }
  const std::int64_t group = id / team, sample = group / k.groups, first = group % k.groups * k.width;
  const int lane = int(id % team);
  double* in = partial + sample * row;
  const double r = double(rstd[group]);
  double mean1 = 0, mean2 = 0;
  for (std::int64_t c = first + lane; c < first + k.width; c += team) {
    mean1 += double(scale[c]) * in[c];
    const double second = in[C + c] * r;
    mean2 += double(scale[c]) * second;
    if (!few) in[C + c] = second;
  }
  for (int o = team / 2; o > 0; o /= 2) {
    mean1 += __shfl_xor_sync(0xffffffffu, mean1, o);
    mean2 += __shfl_xor_sync(0xffffffffu, mean2, o);
  }
  const double count = double(k.voxels) * double(k.width);
  const NormPull<A> pull = to.pull_of(mean1 / count, mean2 / count, r);
  for (std::int64_t c = first + lane; c < first + k.width; c += team) {
    to.pull[sample * 2 * C + c] = pull.offset;
    to.pull[sample * 2 * C + C + c] = pull.pull;
  }
}

template <class A>
__global__ void norm_sums_store(std::int64_t channels, const double* sums, SumsTo<A> to) {
  const std::int64_t c = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (c >= channels) return;
  to.d_shift[c] = A(sums[c]);
  to.d_scale[c] = A(sums[channels + c]);
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
  const std::int64_t begin = first_element<N>(k, at), step = k.rows * k.channels;
  x += begin;
  dy += begin;
  dx += begin;
  int v = 0;
  for (; v + 2 <= at.count; v += 2, x += 2 * step, dy += 2 * step, dx += 2 * step)
    gradient_voxels<T, N, 2>(x, dy, dx, step, with, offset, pull, slope);
  for (; v < at.count; ++v, x += step, dy += step, dx += step) gradient_voxels<T, N, 1>(x, dy, dx, step, with, offset, pull, slope);
}

template <class T>
void run_sums(const ChannelNorm& p, void* const* o) {
  using A = Acc<T>;
  const T *x = static_cast<const T*>(o[0]), *dy = static_cast<const T*>(o[1]);
  const A *mean = static_cast<const A*>(o[2]), *rstd = static_cast<const A*>(o[3]), *scale = static_cast<const A*>(o[4]),
          *shift = static_cast<const A*>(o[5]);
  double* partial = static_cast<double*>(o[6]);
  const SumsTo<A> to{static_cast<A*>(o[7]), static_cast<A*>(o[8]), static_cast<A*>(o[9]), p.frozen};
  by_lanes<T>(p.channels, {x, dy}, [&](auto lanes) {
    constexpr int N = decltype(lanes)::value;
    const NormCut k = cut_for_sums(p, N);
    const int threads = k.tx * k.ty, team = finish_team(p);
    const bool few = p.samples <= kMostTurns, whole = finishes_itself<N>(k) && SliceFold<N>(k).is_little(k, p.samples);
    start("norm_sums", dim3(k.blocks()), dim3(threads), sizeof(double) * 2 * N * threads, norm_sums<T, N>, k, x, dy, mean, rstd, scale,
          shift, A(p.slope), partial, whole ? to : SumsTo<A>{});
    if (whole) return;
    fold_rows<double>("norm_sums_fold", partial, p.samples, k.chunks, 2 * p.channels);
    start("norm_sums_finish", dim3(finish_blocks(p.samples * p.groups * team + (few ? p.channels : 0))), dim3(kBlock), 0,
          norm_sums_finish<A>, k, team, rstd, scale, partial, to, few);
    if (few) return;
    fold_rows<double>("norm_sums_samples", partial, 1, p.samples, 2 * p.channels, k.chunks * 2 * p.channels);
    start("norm_sums_store", dim3(finish_blocks(p.channels)), dim3(kBlock), 0, norm_sums_store<A>, p.channels,
          static_cast<const double*>(partial), to);
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

}  // namespace

void install_norm_gradient() {
  channel_norm_sums_kernel.set(DeviceType::cuda, TENON_NORM_KERNEL(run_sums));
  channel_norm_gradient_kernel.set(DeviceType::cuda, TENON_NORM_KERNEL(run_gradient));
}

}  // namespace tenon::cuda
