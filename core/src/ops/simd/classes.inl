// Rows of few classes, turned so that the loops run over rows: [rows, K] in memory becomes t[K][B] of B rows.
#include "kernels/softmax.hpp"
#include "kernels/vec.inl"

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
      A e = exp_fast(t[k * B + i] - top[i]);
      t[k * B + i] = e;
      sum[i] += e;
    }
}

// ---- rows of many classes: loops run over the classes ----------------------------------------------------------

template <class T>
inline Acc<T> row_max(const T* x, std::int64_t n) {
  using A = Acc<T>;
  A top[16];
  for (int j = 0; j < 16; ++j) top[j] = A(x[j < n ? j : 0]);
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int j = 0; j < 16; ++j) top[j] = max_nan(A(x[i + j]), top[j]);
  for (; i < n; ++i) top[0] = max_nan(A(x[i]), top[0]);
  for (int j = 1; j < 16; ++j) top[0] = max_nan(top[j], top[0]);
  return top[0];
}

template <class T>
inline Acc<T> row_exp_sum(const T* x, std::int64_t n, Acc<T> top) {
  using A = Acc<T>;
  A sum[16] = {};
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int j = 0; j < 16; ++j) sum[j] += exp_fast(A(x[i + j]) - top);
  for (; i < n; ++i) sum[0] += exp_fast(A(x[i]) - top);
  for (int j = 1; j < 16; ++j) sum[0] += sum[j];
  return sum[0];
}

}  // namespace tenon::TENON_ISA
