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

/// T = Q^T A Q with diagonal d and off-diagonal e; Q is the product of h's reflectors. `w` [n] is scratch.
void tridiagonalise(std::int64_t n, double* a, const Reflectors& h, double* d, double* e, double* w) {
  for (std::int64_t k = 0; k + 1 < n; ++k) {
    d[k] = a[k * (n + 1)];
    if (k + 2 == n) {
      e[k] = a[k * (n + 1) + 1];
      break;
    }
    const std::int64_t r = n - k - 1;
    double *row = h.v + k * n, *v = row + k + 1, *rest = a + (k + 1) * (n + 1);
    std::fill(row, v, 0.0);
    std::copy(a + k * (n + 1) + 1, a + (k + 1) * n, v);
    const double tau = h.tau[k] = reflect(r, v, e[k]);
    if (tau == 0) continue;
    dense_product({1, r, r, n, 1, 1, n, r}, v, rest, w, Store::set);  // rest is symmetric: its rows serve as columns
    double overlap = 0;
    for (std::int64_t i = 0; i < r; ++i) overlap += w[i] * v[i];
    for (std::int64_t i = 0; i < r; ++i) w[i] = tau * w[i] - 0.5 * tau * tau * overlap * v[i];
    for (std::int64_t i = 0; i < r; ++i) {
      double* to = rest + i * n;
      const double vi = v[i], wi = w[i];
      for (std::int64_t j = 0; j < r; ++j) to[j] -= vi * w[j] + wi * v[j];
    }
  }
  d[n - 1] = a[n * n - 1];
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
  return Reflectors::size(n, n, n) + RotationQueue::size(n) + n * n + 4 * n;
}

bool eigh(std::int64_t n, double* a, double* w, double* v, double* memory) {
  const double scale = magnitude(n * n, a);
  if (scale != scale) return false;
  for (std::int64_t i = 0; i < n * n; ++i) a[i] /= scale;
  double *d = take(memory, n), *e = take(memory, n), *scratch = take(memory, n), *order = take(memory, n), *x = take(memory, n * n);
  Reflectors h(n, std::max<std::int64_t>(n - 2, 0), 1, n, memory);
  tridiagonalise(n, a, h, d, e, scratch);
  if (v) {
    form_q(h, n, a);
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
