// Rows of few classes, turned so that the loops run over rows: [rows, K] in memory becomes t[K][B] of B rows.
#include <limits>

#include "kernels/vec_maths.inl"

namespace tenon::TENON_ISA {

inline constexpr int kFewClasses = 16, kManyClasses = 256;

template <int K, int B, class T>
[[gnu::always_inline]] inline void turn_in(const T* x, Acc<T>* t) {
  for (int i = 0; i < B; ++i)
    for (int k = 0; k < K; ++k) t[k * B + i] = Acc<T>(x[i * K + k]);
}
template <int K, int B, class T>
[[gnu::always_inline]] inline void turn_out(const Acc<T>* t, T* y) {
  for (int i = 0; i < B; ++i)
    for (int k = 0; k < K; ++k) y[i * K + k] = T(t[k * B + i]);
}

/// log of a sum of exponentials, NaN included.
template <class A>
[[gnu::always_inline]] inline A log_of_sum(A sum) {
  return sum == sum ? log_loop(sum) : sum;
}

/// n <= B rows; the missing ones read as zeros.
template <int B, class T>
inline void load_rows(const T* x, std::int64_t n, int classes, Acc<T>* t) {
  if (n == B) {
    switch (classes) {
      case 2:
        return turn_in<2, B>(x, t);
      case 3:
        return turn_in<3, B>(x, t);
      case 4:
        return turn_in<4, B>(x, t);
      case 5:
        return turn_in<5, B>(x, t);
      default:
        break;
    }
  } else {
    for (int i = 0; i < classes * B; ++i) t[i] = 0;
  }
  for (std::int64_t i = 0; i < n; ++i)
    for (int k = 0; k < classes; ++k) t[k * B + i] = Acc<T>(x[i * classes + k]);
}

template <int B, class T>
inline void store_rows(const Acc<T>* t, std::int64_t n, int classes, T* y) {
  if (n == B) {
    switch (classes) {
      case 2:
        return turn_out<2, B>(t, y);
      case 3:
        return turn_out<3, B>(t, y);
      case 4:
        return turn_out<4, B>(t, y);
      case 5:
        return turn_out<5, B>(t, y);
      default:
        break;
    }
  }
  for (std::int64_t i = 0; i < n; ++i)
    for (int k = 0; k < classes; ++k) y[i * classes + k] = T(t[k * B + i]);
}

/// t becomes exp(t - top), and `sum` its sum over the classes.
template <int B, class A>
inline void exponentials(A* t, int classes, A* top, A* sum) {
  for (int i = 0; i < B; ++i) top[i] = t[i], sum[i] = 0;
  for (int k = 1; k < classes; ++k)
    for (int i = 0; i < B; ++i) top[i] = max_nan(t[k * B + i], top[i]);
  for (int k = 0; k < classes; ++k)
    for (int i = 0; i < B; ++i) {
      A e = exp_loop(t[k * B + i] - top[i]);
      t[k * B + i] = e;
      sum[i] += e;
    }
}

// ---- rows of more than kFewClasses: vectors run over the classes, the last one overlapping the one before ----------

/// y[i] = f(i), a vector at a time; f may read what y overwrites.
template <class T, class F>
[[gnu::always_inline]] inline void row_map(std::int64_t n, T* y, const F& f) {
  constexpr int L = kLanes<Acc<T>>;
  const auto last = f(n - L);
  std::int64_t i = 0;
  for (; i + L <= n; i += L) store<L>(y + i, f(i));
  if (i < n) store<L>(y + n - L, last);
}

/// Sum of f(i), a vector at a time.
template <class A, class F>
[[gnu::always_inline]] inline A row_total(std::int64_t n, const F& f) {
  constexpr int L = kLanes<A>;
  Vec<A, L> a = {}, b = {}, c = {}, d = {};
  std::int64_t i = 0;
  for (; i + 4 * L <= n; i += 4 * L) a += f(i), b += f(i + L), c += f(i + 2 * L), d += f(i + 3 * L);
  for (; i + L <= n; i += L) a += f(i);
  if (i < n) {
    using Lane = std::conditional_t<sizeof(A) == 8, std::int64_t, std::int32_t>;
    Vec<Lane, L> lane;
    for (int k = 0; k < L; ++k) lane[k] = k;
    b += lane >= Lane(L - (n - i)) ? f(n - L) : Vec<A, L>{};
  }
  return sum_lanes<A, L>((a + b) + (c + d));
}

/// The largest that is a number; -infinity where there is none.
template <class T>
inline Acc<T> row_max(const T* x, std::int64_t n) {
  using A = Acc<T>;
  constexpr int L = kLanes<A>;
  Vec<A, L> a = splat<A, L>(-std::numeric_limits<A>::infinity()), b = a, c = a, d = a;
  std::int64_t i = 0;
  for (; i + 4 * L <= n; i += 4 * L) {
    a = larger(load<L>(x + i), a);
    b = larger(load<L>(x + i + L), b);
    c = larger(load<L>(x + i + 2 * L), c);
    d = larger(load<L>(x + i + 3 * L), d);
  }
  for (; i + L <= n; i += L) a = larger(load<L>(x + i), a);
  b = larger(load<L>(x + n - L), b);
  return fold_lanes<A, L>(larger(larger(a, b), larger(c, d)), [](auto& u, auto& v) { return larger(u, v); });
}

/// Sum of exp(x - top). A NaN makes it one; so does an infinity that is the top.
template <class T>
inline Acc<T> row_exp_sum(const T* x, std::int64_t n, Acc<T> top) {
  constexpr int L = kLanes<Acc<T>>;
  return row_total<Acc<T>>(n, [=](std::int64_t i) { return exp_lanes<L>(load<L>(x + i) - top); });
}

/// e = exp(x - top); returns their sum.
template <class T>
inline Acc<T> row_exps(const T* x, std::int64_t n, Acc<T> top, Acc<T>* e) {
  constexpr int L = kLanes<Acc<T>>;
  return row_total<Acc<T>>(n, [=](std::int64_t i) {
    const auto v = exp_lanes<L>(load<L>(x + i) - top);
    store<L>(e + i, v);
    return v;
  });
}

template <class A>
struct RowShares {
  A top, scale;  ///< exp(x - top) scale
};
/// y = softmax(x) factor.
template <class T>
inline RowShares<Acc<T>> row_shares(const T* x, std::int64_t n, Acc<T> factor, T* y) {
  using A = Acc<T>;
  constexpr int L = kLanes<A>;
  constexpr std::int64_t kKept = std::is_same_v<T, A> ? 1 : 4096;
  const A top = row_max(x, n);
  A kept[kKept], *e = kept;  // the exponentials of narrow numbers; wide ones wait in y
  if constexpr (std::is_same_v<T, A>) e = y;
  if (std::is_same_v<T, A> || n <= kKept) {
    factor /= row_exps(x, n, top, e);
    row_map(n, y, [=](std::int64_t i) { return load<L>(e + i) * factor; });
  } else {
    factor /= row_exp_sum(x, n, top);
    row_map(n, y, [=](std::int64_t i) { return exp_lanes<L>(load<L>(x + i) - top) * factor; });
  }
  return {top, factor};
}

}  // namespace tenon::TENON_ISA
