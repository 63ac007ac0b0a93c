/// Singular values: Householder bidiagonalisation, then implicit QR (Golub and Reinsch 1970; deflation as in LINPACK's dsvdc).
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "backend/cpu/linalg/factor.hpp"

namespace tenon::cpu::linalg {
namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon(), kTiny = 1e-290;
constexpr std::int64_t kSweepsAValue = 60;

/// B = U^T A V with diagonal d and superdiagonal e; U, V are the products of the reflectors. `w` [n] is scratch.
void bidiagonalise(std::int64_t n, double* a, const Reflectors& left, const Reflectors& right, double* d, double* e, double* w) {
  for (std::int64_t k = 0; k < n; ++k) {
    const std::int64_t rows = n - k, columns = n - k - 1;
    double *u = left.v + k * n, *rest = a + k * n + k + 1;
    std::fill(u, u + k, 0.0);
    u += k;
    for (std::int64_t i = 0; i < rows; ++i) u[i] = a[(k + i) * n + k];
    const double tau = left.tau[k] = reflect(rows, u, d[k]);
    if (columns == 0) return;
    if (tau != 0) {
      product({1, columns, rows, n, 1, n, 1, columns}, u, rest, w, Store::set);
      for (std::int64_t i = 0; i < rows; ++i) {
        const double f = tau * u[i];
        subtract_lines(columns, 1, &f, w, columns, rest + i * n);
      }
    }
    if (columns == 1) {
      e[k] = rest[0];
      continue;
    }
    double* v = right.v + k * n;
    std::fill(v, v + k + 1, 0.0);
    v += k + 1;
    std::copy(rest, rest + columns, v);
    const double turn = right.tau[k] = reflect(columns, v, e[k]);
    if (turn == 0) continue;
    double* below = rest + n;
    product({1, rows - 1, columns, n, 1, 1, n, rows - 1}, v, below, w, Store::set);
    for (std::int64_t i = 0; i + 1 < rows; ++i) {
      const double f = turn * w[i];
      subtract_lines(columns, 1, &f, v, columns, below + i * n);
    }
  }
}

struct Bidiagonal {
  double *d, *e;
  RotationQueue &u, &v;

  /// d[high] is 0: e[high - 1] is turned out of the last column, from the right.
  void clear_column(std::int64_t low, std::int64_t high) {
    double f = std::exchange(e[high - 1], 0);
    for (std::int64_t j = high - 1; j >= low; --j) {
      const auto [c, s, r] = Rotation::of(d[j], f);
      d[j] = r;
      if (j > low) {
        f = -s * e[j - 1];
        e[j - 1] *= c;
      }
      v.rotate(j, high, c, s);
    }
  }
  /// d[zero] is 0: e[zero] is turned out of its row, from the left.
  void clear_row(std::int64_t zero, std::int64_t high) {
    double f = std::exchange(e[zero], 0);
    for (std::int64_t j = zero + 1; j <= high; ++j) {
      const auto [c, s, r] = Rotation::of(d[j], f);
      d[j] = r;
      if (j < high) {
        f = -s * e[j];
        e[j] *= c;
      }
      u.rotate(j, zero, c, s);
    }
  }
  void step(std::int64_t low, std::int64_t high) {
    // the eigenvalue of the last 2 x 2 block of B^T B nearest to its corner, as a shift of d[low]
    const double scale = std::max({std::abs(d[high]), std::abs(d[high - 1]), std::abs(e[high - 1]), std::abs(d[low]), std::abs(e[low])});
    const double sp = d[high] / scale, sq = d[high - 1] / scale, eq = e[high - 1] / scale, sl = d[low] / scale, el = e[low] / scale;
    const double b = ((sq + sp) * (sq - sp) + eq * eq) / 2, c2 = (sp * eq) * (sp * eq);
    double shift = 0;
    if (b != 0 || c2 != 0) shift = c2 / (b + std::copysign(std::sqrt(b * b + c2), b));
    double f = (sl + sp) * (sl - sp) + shift, g = sl * el;
    u.begin(low), v.begin(low);
    for (std::int64_t j = low; j < high; ++j) {
      const Rotation right = Rotation::of(f, g);
      if (j > low) e[j - 1] = right.r;
      f = right.c * d[j] + right.s * e[j];
      e[j] = right.c * e[j] - right.s * d[j];
      g = right.s * d[j + 1];
      d[j + 1] *= right.c;
      v.push(right.c, right.s);
      const Rotation left = Rotation::of(f, g);
      d[j] = left.r;
      f = left.c * e[j] + left.s * d[j + 1];
      d[j + 1] = left.c * d[j + 1] - left.s * e[j];
      if (j + 1 < high) {
        g = left.s * e[j + 1];
        e[j + 1] *= left.c;
      }
      u.push(left.c, left.s);
    }
    e[high - 1] = f;
    u.finish(), v.finish();
  }
  bool diagonalise(std::int64_t n) {
    std::int64_t left = kSweepsAValue * n;
    for (std::int64_t high = n - 1; high > 0;) {
      std::int64_t low = high;
      for (; low > 0; --low)
        if (std::abs(e[low - 1]) <= kEpsilon * (std::abs(d[low - 1]) + std::abs(d[low])) + kTiny) {
          e[low - 1] = 0;
          break;
        }
      if (low == high) {
        --high;
        continue;
      }
      if (left-- == 0) return false;
      std::int64_t zero = high;
      for (; zero >= low; --zero) {
        const double around = (zero < high ? std::abs(e[zero]) : 0) + (zero > low ? std::abs(e[zero - 1]) : 0);
        if (std::abs(d[zero]) <= kEpsilon * around + kTiny) break;
      }
      if (zero < low) {
        step(low, high);
        continue;
      }
      d[zero] = 0;
      if (zero == high)
        clear_column(low, high);
      else
        clear_row(zero, high);
    }
    u.flush(), v.flush();
    return true;
  }
};

/// A [n, n] (destroyed) -> the rows of ut and vt (null: none) are the singular vectors, in no order; d may be negative.
bool svd_square(std::int64_t n, double* a, double* ut, double* vt, double* d, double* memory) {
  double *e = take(memory, n), *w = take(memory, n);
  Reflectors left(n, n, 0, n, memory), right(n, std::max<std::int64_t>(n - 2, 0), 1, n, memory);
  bidiagonalise(n, a, left, right, d, e, w);
  if (ut) {
    form_q(left, n, nullptr, a);
    transpose(n, n, a, n, ut, n);
    form_q(right, n, nullptr, a);
    transpose(n, n, a, n, vt, n);
  }
  RotationQueue u(n, ut, ut ? n : 0, memory), v(n, vt, ut ? n : 0, memory);
  return Bidiagonal{d, e, u, v}.diagonalise(n);
}

}  // namespace

std::int64_t svd_size(std::int64_t m, std::int64_t n) {
  const std::int64_t tall = std::max(m, n), k = std::min(m, n);
  return 2 * tall * k + 3 * k * k + 4 * k + orthogonalise_size(tall, k) + 2 * Reflectors::size(k, k, k) + 2 * RotationQueue::size(k);
}

bool svd(std::int64_t m, std::int64_t n, const double* given, double* u, double* s, double* vh, double* memory) {
  const double scale = magnitude(m * n, given);
  if (scale != scale) return false;
  const bool wide = m < n;  // then the transpose is decomposed
  const std::int64_t tall = std::max(m, n), k = std::min(m, n);
  double *a = take(memory, tall * k), *ut = take(memory, k * k), *vt = take(memory, k * k), *d = take(memory, k), *order = take(memory, k);
  if (wide)
    transpose(m, n, given, n, a, k);
  else
    std::copy(given, given + m * n, a);
  divide(tall * k, a, scale, a);
  double *q = nullptr, *square = a;
  if (tall > k) {  // A = Q R first: what follows then works on k x k
    q = take(memory, tall * k);
    square = take(memory, k * k);
    orthogonalise(tall, k, k, a, 1, u ? q : nullptr, square, memory);
  }
  if (!svd_square(k, square, u ? ut : nullptr, vt, d, memory)) return false;
  if (!u) {
    for (std::int64_t i = 0; i < k; ++i) s[i] = std::abs(d[i]) * scale;
    std::sort(s, s + k, std::greater<>());
    return true;
  }
  for (std::int64_t i = 0; i < k; ++i) {
    order[i] = double(i);
    if (d[i] >= 0 && !std::signbit(d[i])) continue;
    d[i] = -d[i];
    for (std::int64_t j = 0; j < k; ++j) vt[i * k + j] = -vt[i * k + j];
  }
  std::stable_sort(order, order + k, [&](double i, double j) { return d[std::int64_t(i)] > d[std::int64_t(j)]; });
  // long vectors as rows [k, tall] in `a`: Q's columns turned, or ut itself
  double* lines = ut;
  if (q) {
    product({k, tall, k, k, 1, 1, k, tall}, ut, q, a, Store::set);
    lines = a;
  }
  for (std::int64_t i = 0; i < k; ++i) {
    const auto from = std::int64_t(order[i]);
    double *tall_line = lines + from * tall, *short_line = vt + from * k;
    s[i] = d[from] * scale;
    double *of_u = wide ? short_line : tall_line, *of_v = wide ? tall_line : short_line;
    if (make_largest_positive(m, of_u))
      for (std::int64_t j = 0; j < n; ++j) of_v[j] = -of_v[j];
    transpose(1, m, of_u, m, u + i, k);
    std::copy(of_v, of_v + n, vh + i * n);
  }
  return true;
}

}  // namespace tenon::cpu::linalg
