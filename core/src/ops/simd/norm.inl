// Loops of the normalisations over one chunk of voxels or one row; see kernels/norm.hpp for the maths.
#include "kernels/norm.hpp"
#include "kernels/vec.inl"

namespace tenon::TENON_ISA {

inline constexpr std::int64_t kRun = 128;  // voxels summed in the accumulation type before going to f64

/// Takes up the run of n voxels from `start` on: a channel's centre (its mean, rounded), and the sums of deviations from it and of their squares. What rounding
/// took from the centre is taken out again: the run's mean is centre + deviation / n.
template <class A>
[[gnu::noinline]] void merge_run(std::int64_t start, std::int64_t n, const A* centre, const A* deviation, const A* square, int channels, double* mean, double* m2) {
  const double before = double(start), total = double(start + n), share = double(n) / total, weight = before * double(n) / total;
  for (int i = 0; i < channels; ++i) {
    const double off = double(deviation[i]) / double(n), delta = double(centre[i]) + off - mean[i];
    mean[i] += delta * share;
    m2[i] += double(square[i]) - off * off * double(n) + delta * delta * weight;
  }
}

/// Mean and squared deviations of a run, in two passes (the second finds the run in cache), merged in f64.
struct StatsBody {
  template <int M, int N, class T>
  static void run(std::int64_t c, const T* x, std::int64_t voxels, std::int64_t channels, double* mean, double* m2) {
    using A = Acc<T>;
    double mean_so_far[M * N] = {}, m2_so_far[M * N] = {};
    for (std::int64_t start = 0; start < voxels; start += kRun) {
      std::int64_t n = voxels - start < kRun ? voxels - start : kRun;
      const T* first = x + start * channels + c;
      Vec<A, N> sum[M] = {}, square[M] = {}, deviation_sum[M] = {}, centre[M];
      const T* p = first;
      for (std::int64_t v = 0; v < n; ++v, p += channels)
        for (int m = 0; m < M; ++m) sum[m] += load<N>(p + m * N);
      for (int m = 0; m < M; ++m) centre[m] = sum[m] / A(n);
      p = first;
      for (std::int64_t v = 0; v < n; ++v, p += channels)
        for (int m = 0; m < M; ++m) {
          Vec<A, N> d = load<N>(p + m * N) - centre[m];
          deviation_sum[m] += d;
          square[m] += d * d;
        }
      A parts[3][M * N];
      std::memcpy(parts[0], centre, sizeof centre);
      std::memcpy(parts[1], deviation_sum, sizeof centre);
      std::memcpy(parts[2], square, sizeof centre);
      merge_run(start, n, parts[0], parts[1], parts[2], M * N, mean_so_far, m2_so_far);
    }
    for (int i = 0; i < M * N; ++i) mean[c + i] = mean_so_far[i], m2[c + i] = m2_so_far[i];
  }
};

/// The same over [0, kWide) channels, along memory: rows of a power of two of channels put each other out of a cache's few ways.
inline constexpr std::int64_t kWide = 512;
template <class T>
void wide_stats(const T* x, std::int64_t voxels, std::int64_t channels, double* mean, double* m2) {
  using A = Acc<T>;
  constexpr int L = kLanes<A>;
  for (int i = 0; i < kWide; ++i) mean[i] = m2[i] = 0;
  for (std::int64_t start = 0; start < voxels; start += kRun) {
    const std::int64_t n = voxels - start < kRun ? voxels - start : kRun;
    A centre[kWide] = {}, deviation[kWide] = {}, square[kWide] = {};
    const T* row = x + start * channels;
    for (std::int64_t v = 0; v < n; ++v, row += channels)
      for (int c = 0; c < kWide; c += L) store<L>(centre + c, load<L>(centre + c) + load<L>(row + c));
    for (int c = 0; c < kWide; ++c) centre[c] /= A(n);
    row = x + start * channels;
    for (std::int64_t v = 0; v < n; ++v, row += channels)
      for (int c = 0; c < kWide; c += L) {
        const Vec<A, L> d = load<L>(row + c) - load<L>(centre + c);
        store<L>(deviation + c, load<L>(deviation + c) + d);
        store<L>(square + c, load<L>(square + c) + d * d);
      }
    merge_run(start, n, centre, deviation, square, int(kWide), mean, m2);
  }
}

struct ApplyBody {
  template <int M, int N, class T, class A>
  static void run(std::int64_t c, const T* x, T* y, std::int64_t voxels, std::int64_t channels, const A* mean, const A* gain,
                  const A* shift, A slope) {
    Vec<A, N> vm[M], vg[M], vs[M], bend = splat<A, N>(slope);
    for (int m = 0; m < M; ++m) vm[m] = load<N>(mean + c + m * N), vg[m] = load<N>(gain + c + m * N), vs[m] = load<N>(shift + c + m * N);
    x += c;
    y += c;
    for (std::int64_t v = 0; v < voxels; ++v, x += channels, y += channels)
      for (int m = 0; m < M; ++m) store<N>(y + m * N, leaky(norm_affine(load<N>(x + m * N), vm[m], vg[m], vs[m]), bend));
  }
};

struct SumsBody {
  template <int M, int N, class T, class A>
  static void run(std::int64_t c, const T* x, const T* dy, std::int64_t voxels, std::int64_t channels, const A* mean, const A* gain,
                  const A* shift, A slope, double* sum_g, double* sum_gd) {
    Vec<A, N> vm[M], vg[M], vs[M], bend = splat<A, N>(slope);
    for (int m = 0; m < M; ++m) vm[m] = load<N>(mean + c + m * N), vg[m] = load<N>(gain + c + m * N), vs[m] = load<N>(shift + c + m * N);
    double all_g[M * N] = {}, all_gd[M * N] = {};
    x += c;
    dy += c;
    for (std::int64_t start = 0; start < voxels; start += kRun) {
      std::int64_t n = voxels - start < kRun ? voxels - start : kRun;
      Vec<A, N> g_sum[M] = {}, gd_sum[M] = {};
      for (std::int64_t v = 0; v < n; ++v, x += channels, dy += channels)
        for (int m = 0; m < M; ++m) {
          Vec<A, N> centred = load<N>(x + m * N) - vm[m];
          Vec<A, N> g = leaky_gradient(load<N>(dy + m * N), centred * vg[m] + vs[m], bend);
          g_sum[m] += g;
          gd_sum[m] += g * centred;
        }
      for (int m = 0; m < M; ++m)
        for (int i = 0; i < N; ++i) all_g[m * N + i] += double(g_sum[m][i]), all_gd[m * N + i] += double(gd_sum[m][i]);
    }
    for (int i = 0; i < M * N; ++i) sum_g[c + i] = all_g[i], sum_gd[c + i] = all_gd[i];
  }
};

struct GradientBody {
  template <int M, int N, class T, class A>
  static void run(std::int64_t c, const T* x, const T* dy, T* dx, std::int64_t voxels, std::int64_t channels, const A* mean, const A* gain,
                  const A* shift, A slope, const A* offset, const A* pull) {
    Vec<A, N> vm[M], vg[M], vs[M], vo[M], vp[M], bend = splat<A, N>(slope);
    for (int m = 0; m < M; ++m) {
      std::int64_t at = c + m * N;
      vm[m] = load<N>(mean + at), vg[m] = load<N>(gain + at), vs[m] = load<N>(shift + at), vo[m] = load<N>(offset + at),
      vp[m] = load<N>(pull + at);
    }
    x += c;
    dy += c;
    dx += c;
    for (std::int64_t v = 0; v < voxels; ++v, x += channels, dy += channels, dx += channels)
      for (int m = 0; m < M; ++m) {
        Vec<A, N> centred = load<N>(x + m * N) - vm[m];
        Vec<A, N> g = leaky_gradient(load<N>(dy + m * N), centred * vg[m] + vs[m], bend);
        store<N>(dx + m * N, norm_input_gradient(g, centred, vg[m], vo[m], vp[m]));
      }
  }
};

template <class T>
void norm_stats(const T* x, std::int64_t voxels, std::int64_t channels, double* mean, double* m2) {
  std::int64_t first = 0;
  for (; channels - first >= kWide; first += kWide) wide_stats(x + first, voxels, channels, mean + first, m2 + first);
  channel_blocks<Acc<T>, StatsBody>(channels - first, x + first, voxels, channels, mean + first, m2 + first);
}
template <class T>
void norm_apply(const T* x, T* y, std::int64_t voxels, std::int64_t channels, const Acc<T>* mean, const Acc<T>* gain, const Acc<T>* shift,
                Acc<T> slope) {
  using A = Acc<T>;
  constexpr int L = kLanes<A>;
  if (channels <= 8 * L) return channel_blocks<A, ApplyBody>(channels, x, y, voxels, channels, mean, gain, shift, slope);
  // along memory, the coefficients read again for each voxel
  const std::int64_t whole = channels / L * L;
  const Vec<A, L> bend = splat<A, L>(slope);
  for (std::int64_t v = 0; v < voxels; ++v, x += channels, y += channels) {
    for (std::int64_t c = 0; c < whole; c += L)
      store<L>(y + c, leaky(norm_affine(load<L>(x + c), load<L>(mean + c), load<L>(gain + c), load<L>(shift + c)), bend));
    channel_tail<A, ApplyBody, L>(whole, channels, x, y, std::int64_t(1), channels, mean, gain, shift, slope);
  }
}
template <class T>
void norm_sums(const T* x, const T* dy, std::int64_t voxels, std::int64_t channels, const Acc<T>* mean, const Acc<T>* gain,
               const Acc<T>* shift, Acc<T> slope, double* sum_g, double* sum_gd) {
  channel_blocks<Acc<T>, SumsBody>(channels, x, dy, voxels, channels, mean, gain, shift, slope, sum_g, sum_gd);
}
template <class T>
void norm_gradient(const T* x, const T* dy, T* dx, std::int64_t voxels, std::int64_t channels, const Acc<T>* mean, const Acc<T>* gain,
                   const Acc<T>* shift, Acc<T> slope, const Acc<T>* offset, const Acc<T>* pull) {
  channel_blocks<Acc<T>, GradientBody>(channels, x, dy, dx, voxels, channels, mean, gain, shift, slope, offset, pull);
}

// ---- rows ------------------------------------------------------------------------------------------------

/// Sum over a row of f(vector at c), in four accumulators and a scalar tail, added in a fixed order.
template <class A, class Term>
[[gnu::always_inline]] inline double row_sum(std::int64_t channels, const Term& term) {
  constexpr int L = kLanes<A>;
  Vec<A, L> s[4] = {};
  std::int64_t c = 0;
  for (; c + 4 * L <= channels; c += 4 * L)
    for (int m = 0; m < 4; ++m) s[m] += term.template at<L>(c + m * L);
  for (; c + L <= channels; c += L) s[0] += term.template at<L>(c);
  double total = 0;
  for (; c < channels; ++c) total += double(term.template at<1>(c)[0]);
  return total + double(sum_lanes<A, L>((s[0] + s[1]) + (s[2] + s[3])));
}

template <class T>
struct ValueTerm {
  const T* x;
  template <int N>
  [[gnu::always_inline]] inline Vec<Acc<T>, N> at(std::int64_t c) const {
    return load<N>(x + c);
  }
};
template <class T>
struct SquareTerm {
  const T* x;
  Acc<T> mean;
  template <int N>
  [[gnu::always_inline]] inline Vec<Acc<T>, N> at(std::int64_t c) const {
    Vec<Acc<T>, N> d = load<N>(x + c) - mean;
    return d * d;
  }
};
template <class T>
struct ScaledTerm {
  const T* dy;
  const Acc<T>* scale;
  template <int N>
  [[gnu::always_inline]] inline Vec<Acc<T>, N> at(std::int64_t c) const {
    return load<N>(dy + c) * load<N>(scale + c);
  }
};
template <class T>
struct ScaledCentredTerm {
  const T *dy, *x;
  const Acc<T>* scale;
  Acc<T> mean;
  template <int N>
  [[gnu::always_inline]] inline Vec<Acc<T>, N> at(std::int64_t c) const {
    return load<N>(dy + c) * load<N>(scale + c) * (load<N>(x + c) - mean);
  }
};

struct RowApplyBody {
  template <int M, int N, class T, class A>
  static void run(std::int64_t c, const T* x, T* y, A mean, A rstd, const A* scale, const A* shift) {
    for (int m = 0; m < M; ++m) {
      std::int64_t at = c + m * N;
      store<N>(y + at, ((load<N>(x + at) - mean) * rstd) * load<N>(scale + at) + load<N>(shift + at));
    }
  }
};

struct RowGradientBody {
  template <int M, int N, class T, class A>
  static void run(std::int64_t c, const T* x, const T* dy, T* dx, A mean, A rstd, const A* scale, A offset, A pull, A* sum_g, A* sum_gx) {
    for (int m = 0; m < M; ++m) {
      std::int64_t at = c + m * N;
      Vec<A, N> g = load<N>(dy + at), centred = load<N>(x + at) - mean;
      store<N>(dx + at, load<N>(scale + at) * g * rstd + (pull * centred + offset));
      store<N>(sum_g + at, load<N>(sum_g + at) + g);
      store<N>(sum_gx + at, load<N>(sum_gx + at) + g * (centred * rstd));
    }
  }
};

template <class T>
void row_norm(const T* x, T* y, std::int64_t channels, const Acc<T>* scale, const Acc<T>* shift, double eps, Acc<T>* mean, Acc<T>* rstd) {
  using A = Acc<T>;
  double centre = row_sum<A>(channels, ValueTerm<T>{x}) / double(channels);
  *mean = A(centre);
  double var = row_sum<A>(channels, SquareTerm<T>{x, *mean}) / double(channels);
  *rstd = A(1 / std::sqrt(var + eps));
  channel_blocks<A, RowApplyBody>(channels, x, y, *mean, *rstd, scale, shift);
}

/// sum_g and sum_gx gather this row's share of d_shift and d_scale.
template <class T>
void row_norm_gradient(const T* x, const T* dy, T* dx, std::int64_t channels, Acc<T> mean, Acc<T> rstd, const Acc<T>* scale, Acc<T>* sum_g,
                       Acc<T>* sum_gx) {
  using A = Acc<T>;
  double mean1 = row_sum<A>(channels, ScaledTerm<T>{dy, scale}) / double(channels);
  double mean2 = row_sum<A>(channels, ScaledCentredTerm<T>{dy, x, scale, mean}) * double(rstd) / double(channels);
  NormPull<A> p = norm_pull<A>(mean1, mean2, double(rstd));
  channel_blocks<A, RowGradientBody>(channels, x, dy, dx, mean, rstd, scale, p.offset, p.pull, sum_g, sum_gx);
}

}  // namespace tenon::TENON_ISA
