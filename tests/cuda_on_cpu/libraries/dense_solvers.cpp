#include "cuda_on_cpu/libraries/dense_solvers.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

namespace tenon::cuda::on_cpu {
namespace {

constexpr int kSweeps = 60;
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

struct Matrix {
  std::vector<double> values;
  Columns all;
  Matrix(int rows, int columns) : values(std::size_t(rows) * std::size_t(columns), 0.0), all{values.data(), rows, columns, rows} {}
};

double product(const Columns& a, int p, int q) {
  double sum = 0;
  for (int i = 0; i < a.rows; ++i) sum += a(i, p) * a(i, q);
  return sum;
}
/// Columns p and q times [[c, s], [-s, c]].
void rotate(const Columns& a, int p, int q, double c, double s) {
  for (int i = 0; i < a.rows; ++i) {
    const double x = a(i, p), y = a(i, q);
    a(i, p) = c * x - s * y;
    a(i, q) = s * x + c * y;
  }
}
/// The smaller of the two turns that make [[p, off], [off, q]] diagonal.
std::pair<double, double> turn_of(double p, double off, double q) {
  const double zeta = (q - p) / (2 * off), t = std::copysign(1 / (std::abs(zeta) + std::hypot(1, zeta)), zeta), c = 1 / std::hypot(1, t);
  return {c, c * t};
}
/// (I - tau v v^T) a's columns from `first`, for rows from `row`; v begins with 1, its others lie in column `row` of `of`.
void apply(const Columns& a, int row, int first, double tau, const Columns& of) {
  for (int c = first; c < a.columns; ++c) {
    double sum = a(row, c);
    for (int i = row + 1; i < a.rows; ++i) sum += of(i, row) * a(i, c);
    a(row, c) -= tau * sum;
    for (int i = row + 1; i < a.rows; ++i) a(i, c) -= tau * sum * of(i, row);
  }
}
std::vector<int> order_of(const std::vector<double>& values, bool ascending) {
  std::vector<int> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int x, int y) {
    const double a = values[std::size_t(x)], b = values[std::size_t(y)];
    return ascending ? a < b : a > b;
  });
  return order;
}
/// Column j of u: any direction at right angles to those before it.
void add_direction(const Columns& u, int j) {
  for (int unit = 0; unit < u.rows; ++unit) {
    for (int i = 0; i < u.rows; ++i) u(i, j) = i == unit ? 1 : 0;
    for (int pass = 0; pass < 2; ++pass)
      for (int c = 0; c < j; ++c) {
        const double along = product(u, c, j);
        for (int i = 0; i < u.rows; ++i) u(i, j) -= along * u(i, c);
      }
    const double size = std::sqrt(product(u, j, j));
    if (size < 0.5 / std::sqrt(double(u.rows))) continue;
    for (int i = 0; i < u.rows; ++i) u(i, j) /= size;
    return;
  }
}

}  // namespace

int cholesky(const Columns& a, bool upper) {
  const auto l = [&](int i, int j) -> double& { return upper ? a(j, i) : a(i, j); };
  for (int j = 0; j < a.columns; ++j) {
    double d = l(j, j);
    for (int k = 0; k < j; ++k) d -= l(j, k) * l(j, k);
    if (d <= 0) return j + 1;
    l(j, j) = d = std::sqrt(d);
    for (int i = j + 1; i < a.rows; ++i) {
      double sum = l(i, j);
      for (int k = 0; k < j; ++k) sum -= l(i, k) * l(j, k);
      l(i, j) = sum / d;
    }
  }
  return 0;
}

int lu(const Columns& a, int* pivots) {
  int singular = 0;
  for (int j = 0; j < std::min(a.rows, a.columns); ++j) {
    int largest = j;
    for (int i = j + 1; i < a.rows; ++i)
      if (std::abs(a(i, j)) > std::abs(a(largest, j))) largest = i;
    pivots[j] = largest + 1;
    if (a(largest, j) == 0) {
      if (!singular) singular = j + 1;
      continue;
    }
    for (int c = 0; largest != j && c < a.columns; ++c) std::swap(a(j, c), a(largest, c));
    for (int i = j + 1; i < a.rows; ++i) {
      const double by = a(i, j) /= a(j, j);
      for (int c = j + 1; c < a.columns; ++c) a(i, c) -= by * a(j, c);
    }
  }
  return singular;
}

void reflect(const Columns& a, double* tau) {
  for (int j = 0; j < std::min(a.rows, a.columns); ++j) {
    double below = 0;
    for (int i = j + 1; i < a.rows; ++i) below += a(i, j) * a(i, j);
    tau[j] = 0;
    if (below == 0) continue;
    const double head = a(j, j), beta = -std::copysign(std::sqrt(head * head + below), head);
    tau[j] = (beta - head) / beta;
    for (int i = j + 1; i < a.rows; ++i) a(i, j) /= head - beta;
    a(j, j) = beta;
    apply(a, j, j + 1, tau[j], a);
  }
}

void multiply_reflectors(const Columns& a, int count, const double* tau) {
  for (int c = count; c < a.columns; ++c)
    for (int i = 0; i < a.rows; ++i) a(i, c) = i == c ? 1 : 0;
  for (int j = count - 1; j >= 0; --j) {
    apply(a, j, j + 1, tau[j], a);
    for (int i = j + 1; i < a.rows; ++i) a(i, j) *= -tau[j];
    a(j, j) = 1 - tau[j];
    for (int i = 0; i < j; ++i) a(i, j) = 0;
  }
}

bool singular_values(const Columns& a, double* s, const Columns& u, const Columns& vt) {
  const int n = a.columns;
  Matrix v(n, n);
  for (int j = 0; j < n; ++j) v.all(j, j) = 1;
  bool turned = true;
  for (int sweep = 0; turned && sweep < kSweeps; ++sweep) {
    turned = false;
    for (int p = 0; p < n; ++p)
      for (int q = p + 1; q < n; ++q) {
        const double pp = product(a, p, p), qq = product(a, q, q), pq = product(a, p, q);
        if (!(std::abs(pq) > kEpsilon * a.rows * std::sqrt(pp) * std::sqrt(qq))) continue;
        const auto [cosine, sine] = turn_of(pp, pq, qq);
        rotate(a, p, q, cosine, sine);
        rotate(v.all, p, q, cosine, sine);
        turned = true;
      }
  }
  std::vector<double> sizes;
  for (int j = 0; j < n; ++j) sizes.push_back(std::sqrt(product(a, j, j)));
  const std::vector<int> order = order_of(sizes, false);
  for (int j = 0; j < n; ++j) {
    const int from = order[std::size_t(j)];
    s[j] = sizes[std::size_t(from)];
    for (int i = 0; i < n; ++i) vt(j, i) = v.all(i, from);
    if (!(s[j] > kEpsilon * a.rows * s[0])) add_direction(u, j);
    else
      for (int i = 0; i < a.rows; ++i) u(i, j) = a(i, from) / s[j];
  }
  return !turned;
}

bool eigenvalues(const Columns& a, bool upper, double* w) {
  const int n = a.columns;
  Matrix x(n, n), v(n, n);
  double size = 0;
  for (int j = 0; j < n; ++j)
    for (int i = 0; i < n; ++i) {
      x.all(i, j) = (i < j) == upper || i == j ? a(i, j) : a(j, i);
      v.all(i, j) = i == j ? 1 : 0;
      size += x.all(i, j) * x.all(i, j);
    }
  bool turned = true;
  for (int sweep = 0; turned && sweep < kSweeps; ++sweep) {
    turned = false;
    for (int p = 0; p < n; ++p)
      for (int q = p + 1; q < n; ++q) {
        const double pq = x.all(p, q);
        if (!(std::abs(pq) > kEpsilon / n * std::sqrt(size))) continue;
        const auto [cosine, sine] = turn_of(x.all(p, p), pq, x.all(q, q));
        rotate(x.all, p, q, cosine, sine);
        for (int i = 0; i < n; ++i) {  // rows, too
          const double y = x.all(p, i), z = x.all(q, i);
          x.all(p, i) = cosine * y - sine * z;
          x.all(q, i) = sine * y + cosine * z;
        }
        rotate(v.all, p, q, cosine, sine);
        turned = true;
      }
  }
  std::vector<double> values;
  for (int j = 0; j < n; ++j) values.push_back(x.all(j, j));
  const std::vector<int> order = order_of(values, true);
  for (int j = 0; j < n; ++j) {
    w[j] = values[std::size_t(order[std::size_t(j)])];
    for (int i = 0; i < n; ++i) a(i, j) = (j % 2 ? -1 : 1) * v.all(i, order[std::size_t(j)]);  // a sign is nobody's promise
  }
  return !turned;
}

}  // namespace tenon::cuda::on_cpu
