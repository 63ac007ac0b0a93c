/// The CPU kernels of the normalisations: chunks in parallel, partial sums merged in f64 in a fixed order.
#include <algorithm>
#include <numeric>
#include <vector>

#include "ops/dispatch.hpp"
#include "ops/norm_shared.hpp"

#define TENON_ISA_FILE "ops/simd/norm.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {

std::int64_t ChannelNorm::chunk() const {
  constexpr std::int64_t kElements = 32768, kStep = 128;  // large enough to hide a task's cost, small enough to share out
  return std::clamp(kElements / std::max<std::int64_t>(channels, 1) / kStep * kStep, kStep, 64 * kStep);
}

namespace {

constexpr std::int64_t kMaxStackChannels = 1024;

/// gain[c] = rstd scale and mean[c] of a sample, spread from groups to channels. Small enough to be made by every task.
template <class A>
struct SampleCoefficients {
  std::array<A, 2 * kMaxStackChannels> small;
  std::vector<A> large;
  A *mean, *gain;
  SampleCoefficients(const ChannelNorm& p, std::int64_t sample, const A* means, const A* rstds, const A* scale) {
    if (p.channels > kMaxStackChannels) large.resize(std::size_t(2 * p.channels));
    mean = large.empty() ? small.data() : large.data();
    gain = mean + p.channels;
    std::int64_t width = p.channels / p.groups;
    for (std::int64_t g = 0, c = 0; g < p.groups; ++g)
      for (const std::int64_t at = sample * p.groups + g, end = c + width; c < end; ++c)
        mean[c] = means[at], gain[c] = rstds[at] * scale[c];
  }
};

/// body(first voxel, voxels, times): all voxels, `times` side by side as if they were one of so many more channels, so that few channels
/// fill vectors too; what does not divide comes last, one by one.
template <class Body>
void fold_voxels(std::int64_t channels, std::int64_t voxels, const Body& body) {
  constexpr std::int64_t kLanes = 16, kWide = 48, kMany = 64;
  std::int64_t times = 1;
  if (channels < kMany && channels % kLanes) {
    times = kLanes / std::gcd(channels, kLanes);
    while (times * channels < kWide) times *= 2;
    if (voxels < 8 * times) times = 1;
  }
  static_assert(kMany * kLanes <= kMaxStackChannels);
  body(0, voxels / times, times);
  if (voxels % times) body(voxels / times * times, voxels % times, 1);
}

/// Values a channel, for so many voxels side by side.
template <class A>
class Repeated {
 public:
  Repeated(const A* values, std::int64_t channels, std::int64_t times) : data_(values) {
    if (times == 1) return;
    data_ = room_.data();
    for (std::int64_t i = 0; i < times; ++i) std::copy_n(values, channels, room_.data() + i * channels);
  }
  Repeated(const Repeated&) = delete;
  Repeated& operator=(const Repeated&) = delete;
  operator const A*() const { return data_; }

 private:
  std::array<A, kMaxStackChannels> room_;
  const A* data_;
};

/// Of `sets` of `count` values each, `step` apart.
Moments pooled(double count, std::int64_t sets, std::int64_t step, const double* mean, const double* m2) {
  Moments all{count * double(sets)};
  for (std::int64_t i = 0; i < sets; ++i) all.mean += mean[i * step], all.m2 += m2[i * step];
  all.mean /= double(sets);
  double between = 0;
  for (std::int64_t i = 0; i < sets; ++i) between += (mean[i * step] - all.mean) * (mean[i * step] - all.mean);
  all.m2 += count * between;
  return all;
}

/// Mean and squared deviations of each channel of a chunk.
template <class T, class Loop>
void chunk_moments(const Loop& loop, const T* x, std::int64_t voxels, std::int64_t channels, double* mean, double* m2) {
  fold_voxels(channels, voxels, [&](std::int64_t first, std::int64_t n, std::int64_t times) {
    if (first == 0 && times == 1) return loop(x, n, channels, mean, m2);
    double wide[2 * kMaxStackChannels];
    const std::int64_t width = channels * times;
    loop(x + first * channels, n, width, wide, wide + width);
    for (std::int64_t c = 0; c < channels; ++c) {
      Moments all = pooled(double(n), times, channels, wide + c, wide + width + c);
      all.merge(double(first), mean[c], m2[c]);
      mean[c] = all.mean, m2[c] = all.m2;
    }
  });
}

/// body(sample, chunk, first voxel, voxels) in parallel. Backwards: the pass before has left the end in the cache.
template <class Body>
void for_chunks(const ChannelNorm& p, bool backwards, const Body& body) {
  std::int64_t chunks = p.chunks(), chunk = p.chunk(), tasks = p.samples * chunks;
  parallel_for(tasks, [&](std::int64_t i) {
    if (backwards) i = tasks - 1 - i;
    std::int64_t k = i % chunks;
    body(i / chunks, k, k * chunk, std::min(chunk, p.voxels - k * chunk));
  });
}

/// Statistics of a sample's groups from the moments of its chunks.
template <class A>
[[gnu::noinline]] void sample_stats(const ChannelNorm& p, std::int64_t s, const double* partial, A* mean, A* var, A* rstd) {
  const std::int64_t C = p.channels, chunks = p.chunks(), width = C / p.groups;
  for (std::int64_t g = 0; g < p.groups; ++g) {
    Moments all;
    for (std::int64_t k = 0; k < chunks; ++k) {
      const double* in = partial + (s * chunks + k) * 2 * C + g * width;
      const Moments part = pooled(double(std::min(p.chunk(), p.voxels - k * p.chunk())), width, 1, in, in + C);
      all.merge(part.count, part.mean, part.m2);
    }
    double v = std::max(all.m2 / all.count, 0.0);
    mean[s * p.groups + g] = A(all.mean);
    var[s * p.groups + g] = A(v);
    rstd[s * p.groups + g] = A(1 / std::sqrt(v + p.eps));
  }
}

template <class T>
void stats(const ChannelNorm& p, void* const* o) {
  using A = Acc<T>;
  const T* x = static_cast<const T*>(o[0]);
  double* partial = static_cast<double*>(o[1]);
  auto loop = TENON_BY_ISA(norm_stats<T>);
  const std::int64_t C = p.channels, chunks = p.chunks();
  for_chunks(p, false, [&](std::int64_t s, std::int64_t k, std::int64_t first, std::int64_t n) {
    double* out = partial + (s * chunks + k) * 2 * C;
    chunk_moments(loop, x + (s * p.voxels + first) * C, n, C, out, out + C);
  });
  parallel_for(p.samples,
               [&](std::int64_t s) { sample_stats(p, s, partial, static_cast<A*>(o[2]), static_cast<A*>(o[3]), static_cast<A*>(o[4])); });
}

/// y of voxels [first, first + n) of a sample; o: mean, rstd, scale, shift.
template <class T>
[[gnu::noinline]] void apply_chunk(const ChannelNorm& p, const T* x, const Acc<T>* const* o, T* y, std::int64_t s, std::int64_t first,
                                   std::int64_t n) {
  using A = Acc<T>;
  auto loop = TENON_BY_ISA(norm_apply<T>);
  SampleCoefficients<A> at(p, s, o[0], o[1], o[2]);
  fold_voxels(p.channels, n, [&](std::int64_t from, std::int64_t voxels, std::int64_t times) {
    const std::int64_t begin = (s * p.voxels + first + from) * p.channels;
    const Repeated<A> m(at.mean, p.channels, times), gain(at.gain, p.channels, times), shifts(o[3], p.channels, times);
    loop(x + begin, y + begin, voxels, p.channels * times, m, gain, shifts, A(p.slope));
  });
}

template <class T>
void apply(const ChannelNorm& p, void* const* o) {
  using A = Acc<T>;
  const A* const values[] = {static_cast<const A*>(o[1]), static_cast<const A*>(o[2]), static_cast<const A*>(o[3]),
                             static_cast<const A*>(o[4])};
  for_chunks(p, true, [&](std::int64_t s, std::int64_t, std::int64_t first, std::int64_t n) {
    apply_chunk(p, static_cast<const T*>(o[0]), values, static_cast<T*>(o[5]), s, first, n);
  });
}

/// Both, of samples of one chunk, which the second finds in the cache.
template <class T>
void whole_samples(const ChannelNorm& p, void* const* o) {
  using A = Acc<T>;
  const T* x = static_cast<const T*>(o[0]);
  double* partial = static_cast<double*>(o[3]);
  A *mean = static_cast<A*>(o[4]), *rstd = static_cast<A*>(o[6]);
  const A* const values[] = {mean, rstd, static_cast<const A*>(o[1]), static_cast<const A*>(o[2])};
  auto loop = TENON_BY_ISA(norm_stats<T>);
  const std::int64_t C = p.channels;
  parallel_for(p.samples, [&](std::int64_t s) {
    chunk_moments(loop, x + s * p.voxels * C, p.voxels, C, partial + s * 2 * C, partial + s * 2 * C + C);
    sample_stats(p, s, partial, mean, static_cast<A*>(o[5]), rstd);
    apply_chunk(p, x, values, static_cast<T*>(o[7]), s, 0, p.voxels);
  });
}

template <class T>
void sums(const ChannelNorm& p, void* const* o) {
  using A = Acc<T>;
  const T *x = static_cast<const T*>(o[0]), *dy = static_cast<const T*>(o[1]);
  const A *mean = static_cast<const A*>(o[2]), *rstd = static_cast<const A*>(o[3]), *scale = static_cast<const A*>(o[4]),
          *shift = static_cast<const A*>(o[5]);
  double* partial = static_cast<double*>(o[6]);
  A *d_scale = static_cast<A*>(o[7]), *d_shift = static_cast<A*>(o[8]), *pull = static_cast<A*>(o[9]);
  auto loop = TENON_BY_ISA(norm_sums<T>);
  const std::int64_t C = p.channels, chunks = p.chunks(), width = C / p.groups;
  for_chunks(p, false, [&](std::int64_t s, std::int64_t k, std::int64_t first, std::int64_t n) {
    SampleCoefficients<A> at(p, s, mean, rstd, scale);
    double* out = partial + (s * chunks + k) * 2 * C;
    fold_voxels(C, n, [&](std::int64_t from, std::int64_t voxels, std::int64_t times) {
      const std::int64_t begin = (s * p.voxels + first + from) * C, wide = C * times;
      const Repeated<A> m(at.mean, C, times), gain(at.gain, C, times), shifts(shift, C, times);
      if (from == 0 && times == 1) return loop(x + begin, dy + begin, voxels, C, m, gain, shifts, A(p.slope), out, out + C);
      double sum[2 * kMaxStackChannels];
      loop(x + begin, dy + begin, voxels, wide, m, gain, shifts, A(p.slope), sum, sum + wide);
      for (std::int64_t c = 0; c < 2 * C; ++c) {
        double total = from == 0 ? 0 : out[c];
        for (std::int64_t i = 0; i < times; ++i) total += sum[c / C * wide + i * C + c % C];
        out[c] = total;
      }
    });
  });
  // Chunk sums fold into the first chunk of their sample, then samples and groups.
  parallel_for(p.samples, [&](std::int64_t s) {
    double* total = partial + s * chunks * 2 * C;
    for (std::int64_t k = 1; k < chunks; ++k)
      for (std::int64_t c = 0; c < 2 * C; ++c) total[c] += total[k * 2 * C + c];
    for (std::int64_t c = 0; c < C; ++c) total[C + c] *= double(rstd[s * p.groups + c / width]);
    for (std::int64_t g = 0; g < p.groups; ++g) {
      double mean1 = 0, mean2 = 0, count = double(p.voxels) * double(width);
      for (std::int64_t c = g * width; c < (g + 1) * width; ++c)
        mean1 += double(scale[c]) * total[c], mean2 += double(scale[c]) * total[C + c];
      NormPull<A> at = p.frozen ? NormPull<A>{} : norm_pull<A>(mean1 / count, mean2 / count, double(rstd[s * p.groups + g]));
      for (std::int64_t c = g * width; c < (g + 1) * width; ++c) pull[s * 2 * C + c] = at.offset, pull[s * 2 * C + C + c] = at.pull;
    }
  });
  for (std::int64_t c = 0; c < C; ++c) {
    double shift_sum = 0, scale_sum = 0;
    for (std::int64_t s = 0; s < p.samples; ++s)
      shift_sum += partial[s * chunks * 2 * C + c], scale_sum += partial[s * chunks * 2 * C + C + c];
    d_shift[c] = A(shift_sum);
    d_scale[c] = A(scale_sum);
  }
}

template <class T>
void gradient(const ChannelNorm& p, void* const* o) {
  using A = Acc<T>;
  const T *x = static_cast<const T*>(o[0]), *dy = static_cast<const T*>(o[1]);
  const A *mean = static_cast<const A*>(o[2]), *rstd = static_cast<const A*>(o[3]), *scale = static_cast<const A*>(o[4]),
          *shift = static_cast<const A*>(o[5]);
  const A* pull = static_cast<const A*>(o[6]);
  T* dx = static_cast<T*>(o[7]);
  auto loop = TENON_BY_ISA(norm_gradient<T>);
  const std::int64_t C = p.channels;
  for_chunks(p, true, [&](std::int64_t s, std::int64_t, std::int64_t first, std::int64_t n) {
    SampleCoefficients<A> at(p, s, mean, rstd, scale);
    fold_voxels(C, n, [&](std::int64_t from, std::int64_t voxels, std::int64_t times) {
      const std::int64_t begin = (s * p.voxels + first + from) * C;
      const Repeated<A> m(at.mean, C, times), gain(at.gain, C, times), shifts(shift, C, times), offset(pull + s * 2 * C, C, times),
          slopes(pull + s * 2 * C + C, C, times);
      loop(x + begin, dy + begin, dx + begin, voxels, C * times, m, gain, shifts, A(p.slope), offset, slopes);
    });
  });
}

template <class A, class R>
void move_running(std::int64_t channels, std::int64_t count, double momentum, void* const* o) {
  const A *mean = static_cast<const A*>(o[0]), *var = static_cast<const A*>(o[1]);
  R *running_mean = static_cast<R*>(o[2]), *running_var = static_cast<R*>(o[3]);
  double unbias = count > 1 ? double(count) / double(count - 1) : 1.0;
  for (std::int64_t c = 0; c < channels; ++c) {
    running_mean[c] = R(double(running_mean[c]) + momentum * (double(mean[c]) - double(running_mean[c])));
    running_var[c] = R(double(running_var[c]) + momentum * (double(var[c]) * unbias - double(running_var[c])));
  }
}

template <class T>
void rows(const RowNorm& p, void* const* o) {
  using A = Acc<T>;
  const T* x = static_cast<const T*>(o[0]);
  const A *scale = static_cast<const A*>(o[1]), *shift = static_cast<const A*>(o[2]);
  T* y = static_cast<T*>(o[3]);
  A *mean = static_cast<A*>(o[4]), *rstd = static_cast<A*>(o[5]);
  auto loop = TENON_BY_ISA(row_norm<T>);
  const std::int64_t C = p.channels;
  parallel_blocks(p.rows, std::max<std::int64_t>(1, 32768 / C), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) loop(x + r * C, y + r * C, C, scale, shift, p.eps, mean + r, rstd + r);
  });
}

template <class T>
void rows_gradient(const RowNorm& p, void* const* o) {
  using A = Acc<T>;
  const T *x = static_cast<const T*>(o[0]), *dy = static_cast<const T*>(o[1]);
  const A *mean = static_cast<const A*>(o[2]), *rstd = static_cast<const A*>(o[3]), *scale = static_cast<const A*>(o[4]);
  T* dx = static_cast<T*>(o[5]);
  double* partial = static_cast<double*>(o[6]);
  A *d_scale = static_cast<A*>(o[7]), *d_shift = static_cast<A*>(o[8]);
  auto loop = TENON_BY_ISA(row_norm_gradient<T>);
  const std::int64_t C = p.channels;
  parallel_blocks(p.rows, p.block(), [&](std::int64_t begin, std::int64_t end) {
    double* out = partial + begin / p.block() * 2 * C;
    A* sum = reinterpret_cast<A*>(out);  // A is no wider than f64: gathered in the slot's own memory, then widened from the back
    std::fill(sum, sum + 2 * C, A(0));
    for (std::int64_t r = begin; r < end; ++r) loop(x + r * C, dy + r * C, dx + r * C, C, mean[r], rstd[r], scale, sum, sum + C);
    for (std::int64_t c = 2 * C - 1; c >= 0; --c) {
      double wide = double(sum[c]);
      std::memcpy(out + c, &wide, sizeof wide);
    }
  });
  for (std::int64_t c = 0; c < C; ++c) {
    double g = 0, gx = 0;
    for (std::int64_t b = 0; b < p.blocks(); ++b) g += partial[b * 2 * C + c], gx += partial[b * 2 * C + C + c];
    d_shift[c] = A(g);
    d_scale[c] = A(gx);
  }
}

}  // namespace

#define TENON_NORM_KERNEL(params, function)                                                                                              \
  [](const params& p) -> Kernel {                                                                                                        \
    return dispatch_floating("normalisation", p.dtype,                                                                                   \
                             [&](auto tag) -> Kernel { return [p](void* const* o) { function<typename decltype(tag)::type>(p, o); }; }); \
  }

KernelSlot<const ChannelNorm&> channel_norm_stats_kernel("normalisation.statistics", TENON_NORM_KERNEL(ChannelNorm, stats));
KernelSlot<const ChannelNorm&> channel_norm_apply_kernel("normalisation.apply", TENON_NORM_KERNEL(ChannelNorm, apply));
KernelSlot<const ChannelNorm&> channel_norm_samples_kernel("normalisation", TENON_NORM_KERNEL(ChannelNorm, whole_samples));
KernelSlot<const ChannelNorm&> channel_norm_sums_kernel("normalisation.sums", TENON_NORM_KERNEL(ChannelNorm, sums));
KernelSlot<const ChannelNorm&> channel_norm_gradient_kernel("normalisation.gradient", TENON_NORM_KERNEL(ChannelNorm, gradient));
KernelSlot<const RowNorm&> row_norm_kernel("layer_norm", TENON_NORM_KERNEL(RowNorm, rows));
KernelSlot<const RowNorm&> row_norm_gradient_kernel("layer_norm.gradient", TENON_NORM_KERNEL(RowNorm, rows_gradient));
KernelSlot<DType, DType, std::int64_t, std::int64_t, double> running_stats_kernel(
    "batch_norm.running", [](DType batch, DType running, std::int64_t channels, std::int64_t count, double momentum) -> Kernel {
      auto f = batch == DType::f64 ? (running == DType::f64 ? move_running<double, double> : move_running<double, float>)
                                   : (running == DType::f64 ? move_running<float, double> : move_running<float, float>);
      return [=](void* const* o) { f(channels, count, momentum, o); };
    });

}  // namespace tenon
