// Softmax, log softmax and their gradients over a range of rows.
#include "ops/simd/classes.inl"

namespace tenon::TENON_ISA {

/// y = (x - top) - base
template <class T>
inline void row_log_shares(const T* x, std::int64_t n, Acc<T> top, Acc<T> base, T* y) {
  constexpr int L = kLanes<Acc<T>>;
  row_map(n, y, [=](std::int64_t i) { return (load<L>(x + i) - top) - base; });
}

template <class T, bool Log>
void softmax_rows(const T* x, T* y, std::int64_t rows, std::int64_t classes) {
  using A = Acc<T>;
  if (classes <= kFewClasses) {
    constexpr int B = 64;
    const int K = int(classes);
    A t[kFewClasses * B], raw[kFewClasses * B], top[B], sum[B];
    for (std::int64_t r = 0; r < rows; r += B) {
      std::int64_t n = rows - r < B ? rows - r : B;
      load_rows<B>(x + r * K, n, K, t);
      if constexpr (Log) std::memcpy(raw, t, sizeof(A) * std::size_t(K * B));
      exponentials<B>(t, K, top, sum);
      if constexpr (Log) {
        for (int i = 0; i < B; ++i) sum[i] = log_of_sum(sum[i]);
        for (int k = 0; k < K; ++k)
          for (int i = 0; i < B; ++i) t[k * B + i] = (raw[k * B + i] - top[i]) - sum[i];
      } else {
        for (int i = 0; i < B; ++i) sum[i] = A(1) / sum[i];
        for (int k = 0; k < K; ++k)
          for (int i = 0; i < B; ++i) t[k * B + i] *= sum[i];
      }
      store_rows<B>(t, n, K, y + r * K);
    }
    return;
  }
  for (std::int64_t r = 0; r < rows; ++r, x += classes, y += classes) {
    if constexpr (Log) {
      const A top = row_max(x, classes);
      row_log_shares(x, classes, top, log_of_sum(row_exp_sum(x, classes, top)), y);
    } else {
      row_shares(x, classes, A(1), y);
    }
  }
}

/// d_x = y (d_y - sum(y d_y)), or d_y - exp(y) sum(d_y) for the logarithm.
template <class T, bool Log>
void softmax_gradient_rows(const T* y, const T* dy, T* dx, std::int64_t rows, std::int64_t classes) {
  using A = Acc<T>;
  if (classes <= kFewClasses) {
    constexpr int B = 64;
    const int K = int(classes);
    A t[kFewClasses * B], g[kFewClasses * B], sum[B];
    for (std::int64_t r = 0; r < rows; r += B) {
      std::int64_t n = rows - r < B ? rows - r : B;
      load_rows<B>(y + r * K, n, K, t);
      load_rows<B>(dy + r * K, n, K, g);
      for (int i = 0; i < B; ++i) sum[i] = 0;
      for (int k = 0; k < K; ++k)
        for (int i = 0; i < B; ++i) sum[i] += Log ? g[k * B + i] : t[k * B + i] * g[k * B + i];
      for (int k = 0; k < K; ++k)
        for (int i = 0; i < B; ++i) {
          A& v = t[k * B + i];
          v = Log ? g[k * B + i] - exp_loop(v) * sum[i] : v * (g[k * B + i] - sum[i]);
        }
      store_rows<B>(t, n, K, dx + r * K);
    }
    return;
  }
  constexpr int L = kLanes<A>;
  for (std::int64_t r = 0; r < rows; ++r, y += classes, dy += classes, dx += classes) {
    const auto term = [=](std::int64_t i) { return Log ? load<L>(dy + i) : load<L>(y + i) * load<L>(dy + i); };
    const A sum = row_total<A>(classes, term);
    const auto slope = [=](std::int64_t i) {
      const Vec<A, L> v = load<L>(y + i), g = load<L>(dy + i);
      return Log ? g - exp_lanes<L>(v) * sum : v * (g - sum);
    };
    row_map(classes, dx, slope);
  }
}

// ---- axes that are not the last: columns of classes, a few vectors wide, are copied once to where they lie together ----

template <bool Log>
struct SoftmaxColumns {
  template <int M, int N, class T, class A>
  static void run(std::int64_t c, const T* x, T* y, std::int64_t classes, std::int64_t stride, A* kept) {
    Vec<A, N> top[M], sum[M] = {};
    for (int m = 0; m < M; ++m) top[m] = splat<A, N>(-std::numeric_limits<A>::infinity());
    for (std::int64_t k = 0; k < classes; ++k)
      for (int m = 0; m < M; ++m) {
        const Vec<A, N> v = load<N>(x + k * stride + c + m * N);
        store<N>(kept + (k * M + m) * N, v);
        top[m] = larger(v, top[m]);
      }
    for (std::int64_t k = 0; k < classes; ++k)
      for (int m = 0; m < M; ++m) {
        A* at = kept + (k * M + m) * N;
        const Vec<A, N> centred = load<N>(at) - top[m], e = exp_lanes<N>(centred);
        store<N>(at, Log ? centred : e);
        sum[m] += e;
      }
    for (int m = 0; m < M; ++m)
      for (int i = 0; i < N; ++i) sum[m][i] = Log ? log_of_sum<A>(sum[m][i]) : A(1) / sum[m][i];
    for (std::int64_t k = 0; k < classes; ++k)
      for (int m = 0; m < M; ++m) {
        const Vec<A, N> v = load<N>(kept + (k * M + m) * N);
        store<N>(y + k * stride + c + m * N, Log ? v - sum[m] : v * sum[m]);
      }
  }
};

template <bool Log>
struct SoftmaxColumnsGradient {
  template <int M, int N, class T, class A>
  static void run(std::int64_t c, const T* y, const T* dy, T* dx, std::int64_t classes, std::int64_t stride, A* kept) {
    Vec<A, N> sum[M] = {};
    for (std::int64_t k = 0; k < classes; ++k)
      for (int m = 0; m < M; ++m) {
        const Vec<A, N> v = load<N>(y + k * stride + c + m * N), g = load<N>(dy + k * stride + c + m * N);
        store<N>(kept + (k * M + m) * 2 * N, v);
        store<N>(kept + (k * M + m) * 2 * N + N, g);
        sum[m] += Log ? g : v * g;
      }
    for (std::int64_t k = 0; k < classes; ++k)
      for (int m = 0; m < M; ++m) {
        const Vec<A, N> v = load<N>(kept + (k * M + m) * 2 * N), g = load<N>(kept + (k * M + m) * 2 * N + N);
        store<N>(dx + k * stride + c + m * N, Log ? g - exp_lanes<N>(v) * sum[m] : v * (g - sum[m]));
      }
  }
};

inline constexpr std::int64_t kColumns = 64;  ///< at most, at a time

/// Columns [0, columns) of [classes, stride]; `kept` holds classes * kColumns.
template <class T, bool Log>
void softmax_columns(const T* x, T* y, std::int64_t classes, std::int64_t columns, std::int64_t stride, Acc<T>* kept) {
  channel_blocks<Acc<T>, SoftmaxColumns<Log>>(columns, x, y, classes, stride, kept);
}
/// The same; `kept` holds twice as much.
template <class T, bool Log>
void softmax_gradient_columns(const T* y, const T* dy, T* dx, std::int64_t classes, std::int64_t columns, std::int64_t stride, Acc<T>* kept) {
  channel_blocks<Acc<T>, SoftmaxColumnsGradient<Log>>(columns, y, dy, dx, classes, stride, kept);
}

// ---- few long rows: pieces of them ----------------------------------------------------------------------------

/// The largest of a piece, and the sum of its exponentials from there (from 0 where all are -infinity).
template <class T>
void softmax_piece_sum(const T* x, std::int64_t n, Acc<T>* top, Acc<T>* sum) {
  *top = row_max(x, n);
  *sum = row_exp_sum(x, n, *top == -std::numeric_limits<Acc<T>>::infinity() ? Acc<T>(0) : *top);
}
/// `scale`: the reciprocal of the row's sum, or its logarithm.
template <class T, bool Log>
void softmax_piece(const T* x, T* y, std::int64_t n, Acc<T> top, Acc<T> scale) {
  constexpr int L = kLanes<Acc<T>>;
  if constexpr (Log)
    row_log_shares(x, n, top, scale, y);
  else
    row_map(n, y, [=](std::int64_t i) { return exp_lanes<L>(load<L>(x + i) - top) * scale; });
}

}  // namespace tenon::TENON_ISA
