#include "climate/tasks/eof.hpp"

#include <algorithm>
#include <cmath>

#include "tenon/error.hpp"
#include "tenon/kernel.hpp"
#include "tenon/linalg.hpp"
#include "tenon/ops.hpp"

namespace tenon::climate {
namespace {

Tensor transposed(const Tensor& t) { return t.transpose(0, 1).contiguous(); }

}  // namespace

Eofs fit_eofs(const float* anomalies, std::int64_t points, const std::vector<std::int64_t>& times, const std::vector<double>& weights, std::int64_t count) {
  const auto n = std::int64_t(times.size());
  if (count < 1 || count > std::min(n, points))
    throw Error(ErrorKind::data, "climate.too_short", std::to_string(count) + " patterns of " + std::to_string(n) + " fields of " + std::to_string(points) + " points",
                "ask for fewer patterns");
  Eofs e;
  for (double w : weights) e.root_weights.push_back(std::sqrt(w));
  Tensor x = Tensor::empty(Shape{n, points}, DType::f64);
  double* to = x.data<double>();
  parallel_for(n, [&](std::int64_t i) {
    const float* from = anomalies + times[std::size_t(i)] * points;
    for (std::int64_t p = 0; p < points; ++p) to[i * points + p] = double(from[p]) * e.root_weights[std::size_t(p)];
  });
  const bool by_points = points <= n;
  const Tensor gram = by_points ? matmul(transposed(x), x) : matmul(x, transposed(x));
  const linalg::Eigh found = linalg::eigh(gram);
  const std::int64_t m = gram.size(0);
  const std::vector<double> w = found.w.to_vector();
  double total = 0;
  for (double v : w) total += std::max(v, 0.0);
  Tensor vectors = transposed(found.v);  // one a row, by rising eigenvalue
  e.patterns = Tensor::empty(Shape{count, points}, DType::f64);
  const Tensor wanted = by_points ? Tensor() : matmul(vectors, x);
  for (std::int64_t k = 0; k < count; ++k) {
    const std::int64_t from = m - 1 - k;
    const double* row = (by_points ? vectors : wanted).data<double>() + from * points;
    double* pattern = e.patterns.data<double>() + k * points;
    double norm = 0, largest = 0;
    for (std::int64_t p = 0; p < points; ++p) {
      norm += row[p] * row[p];
      if (std::abs(row[p]) > std::abs(largest)) largest = row[p];
    }
    const double scale = norm > 0 ? (largest < 0 ? -1 : 1) / std::sqrt(norm) : 0;
    for (std::int64_t p = 0; p < points; ++p) pattern[p] = row[p] * scale;
    e.variance_share.push_back(total > 0 ? std::max(w[std::size_t(from)], 0.0) / total : 0);
  }
  return e;
}

Tensor Eofs::amplitudes(const float* anomalies, std::int64_t times) const {
  const std::int64_t n = points();
  Tensor x = Tensor::empty(Shape{times, n}, DType::f64);
  double* to = x.data<double>();
  parallel_for(times, [&](std::int64_t t) {
    for (std::int64_t p = 0; p < n; ++p) to[t * n + p] = double(anomalies[t * n + p]) * root_weights[std::size_t(p)];
  });
  return matmul(x, transposed(patterns));
}

void Eofs::add_field(const double* amplitude, double* out) const {
  const std::int64_t n = points();
  std::vector<double> sum(std::size_t(n), 0.0);
  for (std::int64_t k = 0; k < count(); ++k) {
    const double a = amplitude[k], *v = patterns.data<double>() + k * n;
    for (std::int64_t p = 0; p < n; ++p) sum[std::size_t(p)] += a * v[p];
  }
  for (std::int64_t p = 0; p < n; ++p)
    if (root_weights[std::size_t(p)] > 0) out[p] += sum[std::size_t(p)] / root_weights[std::size_t(p)];  // a pole has no weight and no anomaly
}

}  // namespace tenon::climate
