// The innermost loops of triangles for one instruction set; see backend/cpu/linalg/triangle.cpp.
#include "backend/cpu/simd/lines.inl"

namespace tenon::TENON_ISA {

/// N columns of T X = B from c on, in place: b stays in the cache, sums in registers.
struct SubstituteColumns {
  template <int M, int N>
  [[gnu::always_inline]] static void run(std::int64_t c, bool upper, bool unit, std::int64_t n, const double* t, std::int64_t t_row,
                                         std::int64_t t_col, double* b, std::int64_t b_row) {
    b += c;
    for (std::int64_t step = 0; step < n; ++step) {
      const std::int64_t i = upper ? n - 1 - step : step, first = upper ? i + 1 : 0, last = upper ? n : i;
      Vec<double, N> sums[M];
      for (int v = 0; v < M; ++v) sums[v] = load<N>(b + i * b_row + v * N);
      for (std::int64_t j = first; j < last; ++j) {
        const Vec<double, N> f = splat<double, N>(t[i * t_row + j * t_col]);
        for (int v = 0; v < M; ++v) sums[v] -= f * load<N>(b + j * b_row + v * N);
      }
      const Vec<double, N> d = splat<double, N>(unit ? 1 : t[i * (t_row + t_col)]);
      for (int v = 0; v < M; ++v) store<N>(b + i * b_row + v * N, unit ? sums[v] : sums[v] / d);
    }
  }
};
inline void substitute(bool upper, bool unit, std::int64_t n, std::int64_t k, const double* t, std::int64_t t_row, std::int64_t t_col,
                       double* b, std::int64_t b_row) {
  channel_blocks<double, SubstituteColumns>(k, upper, unit, n, t, t_row, t_col, b, b_row);
}

/// X L^T = B in place, L [n, n] lower, n <= kMost, B [m, n]: rows are systems of their own, and solved side by side.
template <int kMost>
inline void substitute_right(std::int64_t n, std::int64_t m, const double* l, std::int64_t l_row, double* b, std::int64_t b_row) {
  constexpr int W = 2 * kLanes<double>;
  double x[kMost * W] = {};
  for (std::int64_t i0 = 0; i0 < m; i0 += W, b += W * b_row) {
    const std::int64_t lines = m - i0 < W ? m - i0 : W;
    for (std::int64_t r = 0; r < lines; ++r)
      for (std::int64_t i = 0; i < n; ++i) x[i * W + r] = b[r * b_row + i];
    SubstituteColumns::run<2, kLanes<double>>(0, false, false, n, l, l_row, 1, x, W);
    for (std::int64_t r = 0; r < lines; ++r)
      for (std::int64_t i = 0; i < n; ++i) b[r * b_row + i] = x[i * W + r];
  }
}

/// P A = L U of a small matrix in place, row by row; as cpu::linalg::lu.
inline std::int64_t lu_rows(std::int64_t n, double* a, std::int64_t a_row, std::int32_t* pivots) {
  std::int64_t zero = 0;
  for (std::int64_t j = 0; j < n; ++j) {
    double* row = a + j * a_row;
    std::int64_t pivot = j;
    double largest = row[j] < 0 ? -row[j] : row[j];
    for (std::int64_t i = j + 1; i < n; ++i) {
      const double v = a[i * a_row + j], size = v < 0 ? -v : v;
      if (size > largest) largest = size, pivot = i;
    }
    pivots[j] = std::int32_t(pivot);
    double* other = a + pivot * a_row;
    for (std::int64_t c = 0; c < n && pivot != j; ++c) {
      const double kept = row[c];
      row[c] = other[c];
      other[c] = kept;
    }
    if (row[j] == 0) {
      if (!zero) zero = j + 1;
      continue;
    }
    for (std::int64_t i = j + 1; i < n; ++i) {
      double* below = a + i * a_row;
      const double f = below[j] /= row[j];
      for (std::int64_t c = j + 1; c < n; ++c) below[c] -= f * row[c];
    }
  }
  return zero;
}

}  // namespace tenon::TENON_ISA
