/// Symmetric eigenproblems: Householder tridiagonalisation, then implicit QR with Wilkinson's shift (Golub and Van Loan, 8.3).
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "backend/cpu/linalg/factor.hpp"

namespace tenon::cpu::linalg {
namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon(), kTiny = 1e-290;
constexpr std::int64_t kSweepsAValue = 60;

/// T = Q^T A Q with diagonal d and off-diagonal e; Q is the product of h's reflectors. A block of them at a time: A -= V W^T + W V^T
/// waits for the end of a block, only the row that comes next has it before (Dongarra, Hammarling and Sorensen 1989).
/// `lines` [3 kBlock, n] is scratch: rows of V, W and V again.
void tridiagonalise(std::int64_t n, double* a, const Reflectors& h, double* d, double* e, double* lines) {
  double f[Reflectors::kBlock];
  for (std::int64_t first = 0, width; first + 2 < n; first += width) {
    width = std::min(Reflectors::kBlock, n - 2 - first);
    double *vs = lines, *ws = vs + width * n, *again = ws + width * n;
    for (std::int64_t j = 0; j < width; ++j) {
      const std::int64_t k = first + j, r = n - k - 1;
      double *row = a + k * n + k, *v = h.v + k * n, *w = ws + j * n;
      const auto subtract_products = [&](const double* left, const double* right) {  // of the block so far
        for (std::int64_t i = 0; i < j; ++i) f[i] = left[i * n + k];
        subtract_lines(r + 1, j, f, right + k, n, row);
      };
      if (j > 0) subtract_products(vs, ws), subtract_products(ws, vs);
      d[k] = row[0];
      std::fill(v, v + k + 1, 0.0);
      v += k + 1;
      std::copy(row + 1, row + 1 + r, v);
      const double tau = h.tau[k] = reflect(r, v, e[k]);
      for (double* to : {vs, again}) std::copy(v - k - 1, v + r, to + j * n);
      std::fill(w, w + n, 0.0);
      if (tau == 0) continue;
      w += k + 1;
      product({1, r, r, n, 1, 1, n, r}, v, row + n + 1, w, Store::set);  // the rest is symmetric: its rows serve as columns
      const auto subtract_overlap = [&](const double* left, const double* right) {
        product({1, j, r, n, 1, 1, n, j}, v, right + k + 1, f, Store::set);
        subtract_lines(r, j, f, left + k + 1, n, w);
      };
      if (j > 0) subtract_overlap(vs, ws), subtract_overlap(ws, vs);
      double overlap = 0;
      for (std::int64_t i = 0; i < r; ++i) overlap += w[i] * v[i];
      for (std::int64_t i = 0; i < r; ++i) w[i] = tau * w[i] - 0.5 * tau * tau * overlap * v[i];
    }
    const std::int64_t next = first + width, left = n - next;
    product({left, left, 2 * width, 1, n, n, 1, n}, vs + next, ws + next, a + next * (n + 1), Store::subtract);
  }
  for (std::int64_t k = std::max<std::int64_t>(n - 2, 0); k < n; ++k) d[k] = a[k * (n + 1)];
  if (n > 1) e[n - 2] = a[(n - 1) * (n + 1) - 1];
}

/// One implicit QR step on rows [low, high] of the tridiagonal matrix.
void step(std::int64_t low, std::int64_t high, double* d, double* e, RotationQueue& queue) {
  const double delta = (d[high - 1] - d[high]) / 2, last = e[high - 1];
  const double shift = d[high] - last * (last / (delta + std::copysign(std::hypot(delta, last), delta)));
  double x = d[low] - shift, z = e[low];
  queue.begin(low);
  for (std::int64_t k = low; k < high; ++k) {
    const auto [c, s, r] = Rotation::of(x, z);
    if (k > low) e[k - 1] = r;
    const double a = d[k], b = e[k], g = d[k + 1];
    d[k] = c * c * a + 2 * c * s * b + s * s * g;
    d[k + 1] = s * s * a - 2 * c * s * b + c * c * g;
    e[k] = c * s * (g - a) + (c * c - s * s) * b;
    queue.push(c, s);
    if (k + 1 == high) break;
    x = e[k];
    z = s * e[k + 1];
    e[k + 1] *= c;
  }
  queue.finish();
}

bool diagonalise(std::int64_t n, double* d, double* e, RotationQueue& queue) {
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
    step(low, high, d, e, queue);
  }
  queue.flush();
  return true;
}

}  // namespace

std::int64_t eigh_size(std::int64_t n) {
  return Reflectors::size(n, n, n) + RotationQueue::size(n) + n * n + (3 + 3 * Reflectors::kBlock) * n;
}

bool eigh(std::int64_t n, double* a, double* w, double* v, double* memory) {
  const double scale = magnitude(n * n, a);
  if (scale != scale) return false;
  divide(n * n, a, scale, a);
  double *d = take(memory, n), *e = take(memory, n), *lines = take(memory, 3 * Reflectors::kBlock * n), *order = take(memory, n),
         *x = take(memory, n * n);
  Reflectors h(n, std::max<std::int64_t>(n - 2, 0), 1, n, memory);
  tridiagonalise(n, a, h, d, e, lines);
  if (v) {
    form_q(h, n, nullptr, a);
    transpose(n, n, a, n, x, n);
  }
  RotationQueue queue(n, x, v ? n : 0, memory);
  if (!diagonalise(n, d, e, queue)) return false;
  for (std::int64_t i = 0; i < n; ++i) order[i] = double(i);
  std::stable_sort(order, order + n, [&](double i, double j) { return d[std::int64_t(i)] < d[std::int64_t(j)]; });
  for (std::int64_t i = 0; i < n; ++i) {
    const auto from = std::int64_t(order[i]);
    w[i] = d[from] * scale;
    if (!v) continue;
    make_largest_positive(n, x + from * n);
    transpose(1, n, x + from * n, n, v + i, n);
  }
  return true;
}

}  // namespace tenon::cpu::linalg
