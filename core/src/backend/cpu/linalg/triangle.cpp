/// Triangular systems, Cholesky and LU by halves.
#include <algorithm>
#include <cmath>
#include <utility>

#include "backend/cpu/ceil_div.hpp"
#include "backend/cpu/linalg/factor.hpp"
#include "backend/cpu/onednn.hpp"
#include "tenon/kernel.hpp"

#define TENON_ISA_FILE "backend/cpu/simd/triangle.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon::cpu::linalg {
namespace {

constexpr std::int64_t kTriangle = 16;  ///< order up to which triangles are solved by substitution
constexpr std::int64_t kPanel = 16;     ///< columns of LU that are eliminated one by one
constexpr std::int64_t kSideATask = 128;  ///< right-hand sides, or rows of a square
constexpr double kFlopsWorthTasks = 4e6;

std::int64_t half(std::int64_t n) {
  return (n / 2 + 7) / 8 * 8;
}

/// One right-hand side.
void substitute_column(bool upper, bool unit, std::int64_t n, const double* t, std::int64_t t_row, std::int64_t t_col, double* b,
                       std::int64_t b_row) {
  for (std::int64_t step = 0; step < n; ++step) {
    const std::int64_t i = upper ? n - 1 - step : step, away = upper ? 1 : -1;
    double sum = b[i * b_row];
    for (std::int64_t left = step, j = upper ? n - 1 : 0; left > 0; --left, j -= away) sum -= t[i * t_row + j * t_col] * b[j * b_row];
    b[i * b_row] = unit ? sum : sum / t[i * (t_row + t_col)];
  }
}

/// X L^T = B in place, L [n, n] lower, B [m, n].
void solve_right(std::int64_t n, std::int64_t m, const double* l, std::int64_t l_row, double* b, std::int64_t b_row) {
  static const auto substitute = TENON_BY_ISA(substitute_right<kTriangle>);
  if (n <= kTriangle) return substitute(n, m, l, l_row, b, b_row);
  if (m >= 2 * kSideATask && double(n) * double(n) * double(m) > kFlopsWorthTasks)
    return parallel_blocks(m, kSideATask,
                           [&](std::int64_t begin, std::int64_t end) { solve_right(n, end - begin, l, l_row, b + begin * b_row, b_row); });
  const std::int64_t h = half(n);
  solve_right(h, m, l, l_row, b, b_row);
  dense_product({m, n - h, h, b_row, 1, 1, l_row, b_row}, b, l + h * l_row, b + h, Store::subtract);
  solve_right(n - h, m, l + h * (l_row + 1), l_row, b + h, b_row);
}

/// c -= a a^T, the lower triangle of c [n, n] at least; a [n, k].
void subtract_square(std::int64_t n, std::int64_t k, const double* a, std::int64_t a_row, double* c, std::int64_t c_row) {
  const auto tile = [&](std::int64_t i, std::int64_t j, std::int64_t rows, std::int64_t columns) {
    dense_product({rows, columns, k, a_row, 1, 1, a_row, c_row}, a + i * a_row, a + j * a_row, c + i * c_row + j, Store::subtract);
  };
  const auto strips = [&](std::int64_t begin, std::int64_t end) {  // each as far as the diagonal
    constexpr std::int64_t kStrip = kSideATask / 2;
    for (std::int64_t i = begin; i < end; i += kStrip) {
      const std::int64_t rows = std::min(kStrip, end - i);
      tile(i, begin, rows, i + rows - begin);
    }
  };
  if (double(n) * double(n) * double(k) <= kFlopsWorthTasks) return strips(0, n);
  const std::int64_t sides = ceil_div(n, kSideATask);
  parallel_for(sides * (sides + 1) / 2, [&](std::int64_t task) {
    std::int64_t side = 0;
    while ((side + 1) * (side + 2) / 2 <= task) ++side;
    const std::int64_t i = side * kSideATask, j = (task - side * (side + 1) / 2) * kSideATask, end = std::min(n, i + kSideATask);
    if (i == j)
      strips(i, end);
    else
      tile(i, j, end - i, kSideATask);
  });
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

/// A few columns by themselves: they are copied, a line each, which the loops run along; a row apart they would meet in the cache.
std::int64_t lu_panel(const LuMatrix& m, std::int64_t first, std::int64_t last) {
  static const auto divide = TENON_BY_ISA(divide_line);
  static const auto place = TENON_BY_ISA(largest_place);
  const std::int64_t rows = m.n - first, columns = last - first;
  auto* lines = static_cast<double*>(thread_scratch(std::size_t(rows * columns) * sizeof(double)));
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j) lines[j * rows + i] = *m.at(first + i, first + j);
  std::int64_t zero = 0;
  for (std::int64_t j = 0; j < columns; ++j) {
    double* line = lines + j * rows;
    for (std::int64_t p = 1; p < j; ++p)
      for (std::int64_t q = 0; q < p; ++q) line[p] -= lines[q * rows + p] * line[q];
    if (j > 0) subtract_lines(rows - j, j, line, lines + j, rows, line + j);
    const std::int64_t pivot = j + place(rows - j, line + j);
    m.pivots[first + j] = std::int32_t(first + pivot);
    if (pivot != j)
      for (std::int64_t c = 0; c < columns; ++c) std::swap(lines[c * rows + j], lines[c * rows + pivot]);
    if (line[j] != 0)
      divide(rows - j - 1, line[j], line + j + 1);
    else if (!zero)
      zero = first + j + 1;
  }
  for (std::int64_t j = first; j < last; ++j)
    if (const std::int64_t pivot = m.pivots[j]; pivot != j) {
      std::swap_ranges(m.at(j, 0), m.at(j, first), m.at(pivot, 0));
      std::swap_ranges(m.at(j, last), m.at(j, 0) + m.n, m.at(pivot, last));
    }
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j) *m.at(first + i, first + j) = lines[j * rows + i];
  return zero;
}

/// Columns [first, last), whose upper part is done.
std::int64_t lu_columns(const LuMatrix& m, std::int64_t first, std::int64_t last) {
  if (last - first <= kPanel) return lu_panel(m, first, last);
  const std::int64_t middle = first + half(last - first), height = middle - first, width = last - middle;
  const std::int64_t zero = lu_columns(m, first, middle);
  solve_triangle(false, true, height, width, m.at(first, first), m.row, 1, m.at(first, middle), m.row);
  product({m.n - middle, width, height, m.row, 1, m.row, 1, m.row}, m.at(middle, first), m.at(first, middle), m.at(middle, middle),
          Store::subtract);
  std::int64_t later = lu_columns(m, middle, last);
  return zero ? zero : later;
}

}  // namespace

void solve_triangle(bool upper, bool unit, std::int64_t n, std::int64_t k, const double* t, std::int64_t t_row, std::int64_t t_col,
                    double* b, std::int64_t b_row) {
  static const auto substitute = TENON_BY_ISA(substitute);
  if (n <= kTriangle)
    return k == 1 ? substitute_column(upper, unit, n, t, t_row, t_col, b, b_row) : substitute(upper, unit, n, k, t, t_row, t_col, b, b_row);
  if (k >= 2 * kSideATask && double(n) * double(n) * double(k) > kFlopsWorthTasks)
    return parallel_blocks(k, kSideATask, [&](std::int64_t begin, std::int64_t end) {
      solve_triangle(upper, unit, n, end - begin, t, t_row, t_col, b + begin, b_row);
    });
  const std::int64_t h = half(n);
  double* low = b + h * b_row;
  const double* corner = t + h * (t_row + t_col);
  if (upper) {
    solve_triangle(upper, unit, n - h, k, corner, t_row, t_col, low, b_row);
    product({h, k, n - h, t_row, t_col, b_row, 1, b_row}, t + h * t_col, low, b, Store::subtract);
    solve_triangle(upper, unit, h, k, t, t_row, t_col, b, b_row);
  } else {
    solve_triangle(upper, unit, h, k, t, t_row, t_col, b, b_row);
    product({n - h, k, h, t_row, t_col, b_row, 1, b_row}, t + h * t_row, b, low, Store::subtract);
    solve_triangle(upper, unit, n - h, k, corner, t_row, t_col, low, b_row);
  }
}

std::int64_t cholesky(std::int64_t n, double* a, std::int64_t a_row) {
  const std::int64_t bad = cholesky_lower(n, a, a_row);
  const auto clear = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) std::fill(a + i * a_row + i + 1, a + i * a_row + n, 0.0);
  };
  if (n > kSideATask)
    parallel_blocks(n, kSideATask, clear);
  else
    clear(0, n);
  return bad;
}

std::int64_t lu(std::int64_t n, double* a, std::int64_t a_row, std::int32_t* pivots) {
  static const auto by_rows = TENON_BY_ISA(lu_rows);
  return n <= kPanel ? by_rows(n, a, a_row, pivots) : lu_columns({n, a, a_row, pivots}, 0, n);
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
