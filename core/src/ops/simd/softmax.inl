// Softmax, log softmax and their gradients over a range of rows.
#include "ops/simd/classes.inl"

namespace tenon::TENON_ISA {

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
        for (int i = 0; i < B; ++i) sum[i] = log_fast(sum[i]);
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
    A top = row_max(x, classes), sum = row_exp_sum(x, classes, top);
    if constexpr (Log) {
      A base = log_fast(sum);
      for (std::int64_t k = 0; k < classes; ++k) y[k] = T((A(x[k]) - top) - base);
    } else {
      A share = A(1) / sum;
      for (std::int64_t k = 0; k < classes; ++k) y[k] = T(exp_fast(A(x[k]) - top) * share);
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
          v = Log ? g[k * B + i] - exp_fast(v) * sum[i] : v * (g[k * B + i] - sum[i]);
        }
      store_rows<B>(t, n, K, dx + r * K);
    }
    return;
  }
  for (std::int64_t r = 0; r < rows; ++r, y += classes, dy += classes, dx += classes) {
    A part[16] = {};
    std::int64_t k = 0;
    for (; k + 16 <= classes; k += 16)
      for (int j = 0; j < 16; ++j) part[j] += Log ? A(dy[k + j]) : A(y[k + j]) * A(dy[k + j]);
    for (; k < classes; ++k) part[0] += Log ? A(dy[k]) : A(y[k]) * A(dy[k]);
    for (int j = 1; j < 16; ++j) part[0] += part[j];
    for (k = 0; k < classes; ++k) dx[k] = T(Log ? A(dy[k]) - exp_fast(A(y[k])) * part[0] : A(y[k]) * (A(dy[k]) - part[0]));
  }
}

}  // namespace tenon::TENON_ISA
