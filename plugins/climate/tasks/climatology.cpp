#include "climate/tasks/climatology.hpp"

#include <cmath>
#include <numbers>

#include "climate/tools/year_coverage.hpp"
#include "tenon/error.hpp"
#include "tenon/kernel.hpp"
#include "tenon/linalg.hpp"

namespace tenon::climate {
namespace {

void basis_at(double phase, int harmonics, double* out) {
  out[0] = 1;
  for (int k = 1; k <= harmonics; ++k) {
    const double angle = 2 * std::numbers::pi * k * phase;
    out[2 * k - 1] = std::cos(angle);
    out[2 * k] = std::sin(angle);
  }
}

constexpr std::int64_t kBlock = 256;  // points a task

}  // namespace

HarmonicClimatology::HarmonicClimatology(int harmonics, std::int64_t points, std::vector<double> coefficients)
    : harmonics_(harmonics), points_(points), coefficients_(std::move(coefficients)) {
  if (harmonics < 0 || points < 1 || std::int64_t(coefficients_.size()) != (2 * harmonics + 1) * points)
    throw_usage("HarmonicClimatology", std::to_string(coefficients_.size()) + " coefficients for " + std::to_string(harmonics) + " harmonics of " + std::to_string(points) + " points");
}

HarmonicClimatology HarmonicClimatology::fit(const FieldSeries& series, const std::vector<std::int64_t>& times, int harmonics) {
  const std::int64_t terms = 2 * harmonics + 1, points = series.grid.points();
  if (std::int64_t(times.size()) < 2 * terms)
    throw Error(ErrorKind::data, "climate.too_short", std::to_string(times.size()) + " fields for a climatology of " + std::to_string(terms) + " coefficients a point",
                "give a longer period, or fewer harmonics");
  std::vector<double> shares;
  for (auto t : times) shares.push_back(series.phase[std::size_t(t)]);
  if (const auto lack = what_is_lacking(std::move(shares), harmonics, series.calendar))
    throw Error(ErrorKind::data, "climate.too_short", "the years fitted on do not determine the annual cycle: " + *lack, "give whole years, or fewer harmonics");
  std::vector<double> basis(times.size() * std::size_t(terms)), gram(std::size_t(terms * terms), 0.0);
  for (std::size_t i = 0; i < times.size(); ++i) {
    double* b = basis.data() + std::int64_t(i) * terms;
    basis_at(series.phase[std::size_t(times[i])], harmonics, b);
    for (std::int64_t r = 0; r < terms; ++r)
      for (std::int64_t c = 0; c < terms; ++c) gram[std::size_t(r * terms + c)] += b[r] * b[c];
  }
  std::vector<double> moments(std::size_t(terms * points), 0.0);
  // A block of points a task, the times in order within it: the same sums for any number of threads.
  parallel_blocks(points, kBlock, [&](std::int64_t from, std::int64_t to) {
    for (std::size_t i = 0; i < times.size(); ++i) {
      const float* field = series.field(times[i]);
      for (std::int64_t k = 0; k < terms; ++k) {
        const double b = basis[i * std::size_t(terms) + std::size_t(k)];
        double* m = moments.data() + k * points;
        for (std::int64_t p = from; p < to; ++p) m[p] += b * double(field[p]);
      }
    }
  });
  const Tensor solved = linalg::cholesky_solve(linalg::cholesky(Tensor::from(gram, Shape{terms, terms})), Tensor::from(moments, Shape{terms, points})).contiguous();
  const auto c = solved.span<double>();
  return HarmonicClimatology(harmonics, points, std::vector<double>(c.begin(), c.end()));
}

void HarmonicClimatology::at(double phase, double* out) const {
  std::vector<double> basis(std::size_t(2 * harmonics_ + 1));
  basis_at(phase, harmonics_, basis.data());
  for (std::int64_t p = 0; p < points_; ++p) out[p] = coefficients_[std::size_t(p)];
  for (std::size_t k = 1; k < basis.size(); ++k) {
    const double* c = coefficients_.data() + std::int64_t(k) * points_;
    for (std::int64_t p = 0; p < points_; ++p) out[p] += basis[k] * c[p];
  }
}

std::vector<float> HarmonicClimatology::anomalies(const FieldSeries& series) const {
  if (series.grid.points() != points_)
    throw_usage("HarmonicClimatology", std::to_string(points_) + " points against a series of " + std::to_string(series.grid.points()));
  std::vector<float> result(series.values.size());
  parallel_for(series.times(), [&](std::int64_t t) {
    std::vector<double> mean(static_cast<std::size_t>(points_));
    at(series.phase[std::size_t(t)], mean.data());
    const float* field = series.field(t);
    for (std::int64_t p = 0; p < points_; ++p) result[std::size_t(t * points_ + p)] = float(double(field[p]) - mean[std::size_t(p)]);
  });
  return result;
}

}  // namespace tenon::climate
