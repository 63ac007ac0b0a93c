/// Triangular systems, Cholesky and LU by halves.
#include <algorithm>
#include <cmath>
#include <utility>

#include "backend/cpu/linalg/factor.hpp"

namespace tenon::cpu::linalg {
namespace {

constexpr std::int64_t kTriangle = 16;  ///< order up to which triangles are solved by substitution
constexpr std::int64_t kColumns = 64;   ///< right-hand sides at a time, so that they stay in L1
constexpr std::int64_t kPanel = 8;      ///< columns of LU that are eliminated one by one

std::int64_t half(std::int64_t n) {
  return (n / 2 + 7) / 8 * 8;
}

void substitute(bool upper, bool unit, std::int64_t n, std::int64_t k, const double* t, std::int64_t t_row, std::int64_t t_col, double* b,
                std::int64_t b_row) {
  for (std::int64_t step = 0; step < n; ++step) {
    const std::int64_t i = upper ? n - 1 - step : step, first = upper ? i + 1 : 0, last = upper ? n : i;
    double* row = b + i * b_row;
    for (std::int64_t j = first; j < last; ++j) {
      const double f = t[i * t_row + j * t_col];
      const double* from = b + j * b_row;
      for (std::int64_t c = 0; c < k; ++c) row[c] -= f * from[c];
    }
    if (unit) continue;
    const double d = t[i * (t_row + t_col)];
    for (std::int64_t c = 0; c < k; ++c) row[c] /= d;
  }
}

/// X L^T = B in place, L [n, n] lower, B [m, n].
void solve_right(std::int64_t n, std::int64_t m, const double* l, std::int64_t l_row, double* b, std::int64_t b_row) {
  if (n <= kTriangle) {  // rows are systems of their own: kLines of them side by side
    constexpr std::int64_t kLines = 8;
    double x[kTriangle][kLines] = {};
    for (std::int64_t i0 = 0; i0 < m; i0 += kLines, b += kLines * b_row) {
      const std::int64_t lines = std::min(kLines, m - i0);
      for (std::int64_t r = 0; r < lines; ++r)
        for (std::int64_t i = 0; i < n; ++i) x[i][r] = b[r * b_row + i];
      for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t j = 0; j < i; ++j)
          for (std::int64_t r = 0; r < kLines; ++r) x[i][r] -= l[i * l_row + j] * x[j][r];
        for (std::int64_t r = 0; r < kLines; ++r) x[i][r] /= l[i * (l_row + 1)];
      }
      for (std::int64_t r = 0; r < lines; ++r)
        for (std::int64_t i = 0; i < n; ++i) b[r * b_row + i] = x[i][r];
    }
    return;
  }
  const std::int64_t h = half(n);
  solve_right(h, m, l, l_row, b, b_row);
  dense_product({m, n - h, h, b_row, 1, 1, l_row, b_row}, b, l + h * l_row, b + h, Store::subtract);
  solve_right(n - h, m, l + h * (l_row + 1), l_row, b + h, b_row);
}

/// c -= a a^T, the lower triangle of c [n, n] at least; a [n, k].
void subtract_square(std::int64_t n, std::int64_t k, const double* a, std::int64_t a_row, double* c, std::int64_t c_row) {
  constexpr std::int64_t kWhole = 64;
  if (n <= kWhole) return dense_product({n, n, k, a_row, 1, 1, a_row, c_row}, a, a, c, Store::subtract);
  const std::int64_t h = half(n);
  subtract_square(h, k, a, a_row, c, c_row);
  dense_product({n - h, h, k, a_row, 1, 1, a_row, c_row}, a + h * a_row, a, c + h * c_row, Store::subtract);
  subtract_square(n - h, k, a + h * a_row, a_row, c + h * (c_row + 1), c_row);
}

std::int64_t cholesky_lower(std::int64_t n, double* a, std::int64_t a_row) {
  if (n <= kTriangle) {
    for (std::int64_t j = 0; j < n; ++j) {
      double* row = a + j * a_row;
      double d = row[j];
      for (std::int64_t p = 0; p < j; ++p) d -= row[p] * row[p];
      if (!(d > 0) || !std::isfinite(d)) return j + 1;
      row[j] = std::sqrt(d);
      for (std::int64_t i = j + 1; i < n; ++i) {
        double* below = a + i * a_row;
        double v = below[j];
        for (std::int64_t p = 0; p < j; ++p) v -= below[p] * row[p];
        below[j] = v / row[j];
      }
    }
    return 0;
  }
  const std::int64_t h = half(n);
  if (std::int64_t bad = cholesky_lower(h, a, a_row)) return bad;
  double* below = a + h * a_row;
  solve_right(h, n - h, a, a_row, below, a_row);
  subtract_square(n - h, h, below, a_row, below + h, a_row);
  std::int64_t bad = cholesky_lower(n - h, below + h, a_row);
  return bad ? h + bad : 0;
}

struct LuMatrix {
  std::int64_t n;
  double* a;
  std::int64_t row;
  std::int32_t* pivots;
  double* at(std::int64_t i, std::int64_t j) const { return a + i * row + j; }
};

/// Columns [first, last), whose upper part is done.
std::int64_t lu_columns(const LuMatrix& m, std::int64_t first, std::int64_t last) {
  std::int64_t zero = 0;
  if (last - first <= kPanel) {
    for (std::int64_t j = first; j < last; ++j) {
      std::int64_t pivot = j;
      for (std::int64_t i = j + 1; i < m.n; ++i)
        if (std::abs(*m.at(i, j)) > std::abs(*m.at(pivot, j))) pivot = i;
      m.pivots[j] = std::int32_t(pivot);
      if (pivot != j) std::swap_ranges(m.at(j, 0), m.at(j, 0) + m.n, m.at(pivot, 0));
      const double* row = m.at(j, 0);
      if (row[j] == 0) {
        if (!zero) zero = j + 1;
        continue;
      }
      for (std::int64_t i = j + 1; i < m.n; ++i) {
        double* below = m.at(i, 0);
        const double f = below[j] /= row[j];
        for (std::int64_t c = j + 1; c < last; ++c) below[c] -= f * row[c];
      }
    }
    return zero;
  }
  const std::int64_t middle = first + half(last - first), height = middle - first, width = last - middle;
  zero = lu_columns(m, first, middle);
  solve_triangle(false, true, height, width, m.at(first, first), m.row, 1, m.at(first, middle), m.row);
  dense_product({m.n - middle, width, height, m.row, 1, m.row, 1, m.row}, m.at(middle, first), m.at(first, middle), m.at(middle, middle),
                Store::subtract);
  std::int64_t later = lu_columns(m, middle, last);
  return zero ? zero : later;
}

}  // namespace

void solve_triangle(bool upper, bool unit, std::int64_t n, std::int64_t k, const double* t, std::int64_t t_row, std::int64_t t_col,
                    double* b, std::int64_t b_row) {
  if (n <= kTriangle) {
    for (std::int64_t c = 0; c < k; c += kColumns) substitute(upper, unit, n, std::min(kColumns, k - c), t, t_row, t_col, b + c, b_row);
    return;
  }
  const std::int64_t h = half(n);
  double* low = b + h * b_row;
  const double* corner = t + h * (t_row + t_col);
  if (upper) {
    solve_triangle(upper, unit, n - h, k, corner, t_row, t_col, low, b_row);
    dense_product({h, k, n - h, t_row, t_col, b_row, 1, b_row}, t + h * t_col, low, b, Store::subtract);
    solve_triangle(upper, unit, h, k, t, t_row, t_col, b, b_row);
  } else {
    solve_triangle(upper, unit, h, k, t, t_row, t_col, b, b_row);
    dense_product({n - h, k, h, t_row, t_col, b_row, 1, b_row}, t + h * t_row, b, low, Store::subtract);
    solve_triangle(upper, unit, n - h, k, corner, t_row, t_col, low, b_row);
  }
}

std::int64_t cholesky(std::int64_t n, double* a, std::int64_t a_row) {
  const std::int64_t bad = cholesky_lower(n, a, a_row);
  for (std::int64_t i = 0; i < n; ++i) std::fill(a + i * a_row + i + 1, a + i * a_row + n, 0.0);
  return bad;
}

std::int64_t lu(std::int64_t n, double* a, std::int64_t a_row, std::int32_t* pivots) {
  return lu_columns({n, a, a_row, pivots}, 0, n);
}

void lu_solve(bool transposed, std::int64_t n, std::int64_t k, const double* lu, const std::int32_t* pivots, double* b) {
  const auto exchange = [&](std::int64_t i) {
    if (pivots[i] != i) std::swap_ranges(b + i * k, b + (i + 1) * k, b + pivots[i] * k);
  };
  if (transposed) {
    solve_triangle(false, false, n, k, lu, 1, n, b, k);
    solve_triangle(true, true, n, k, lu, 1, n, b, k);
    for (std::int64_t i = n; i-- > 0;) exchange(i);
  } else {
    for (std::int64_t i = 0; i < n; ++i) exchange(i);
    solve_triangle(false, true, n, k, lu, n, 1, b, k);
    solve_triangle(true, false, n, k, lu, n, 1, b, k);
  }
}

}  // namespace tenon::cpu::linalg
