#include "climate/tools/scoring.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "tenon/error.hpp"
#include "tenon/kernel.hpp"

namespace tenon::climate {
namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

std::vector<double> without_nan(const std::vector<double>& x) {
  std::vector<double> out;
  for (double v : x)
    if (!std::isnan(v)) out.push_back(v);
  return out;
}

Interval mean_of(const std::vector<double>& all, std::int64_t block, std::int64_t resamples, std::uint64_t seed) {
  const auto x = without_nan(all);
  if (x.empty()) return {kNothing, kNothing, kNothing};
  return block_bootstrap_mean(x, std::min(block, std::int64_t(x.size())), resamples, 0.95, seed);
}

}  // namespace

FieldErrors field_errors(std::span<const double> forecast, std::span<const double> truth, std::span<const double> climatology, std::span<const double> weights) {
  const auto points = std::int64_t(weights.size());
  if (forecast.size() != truth.size() || points == 0 || std::int64_t(truth.size()) % points != 0 || (!climatology.empty() && climatology.size() != truth.size())) {
    throw_usage("field_errors", fmt::format("{} forecasts, {} truths, {} climatologies of {} points", forecast.size(), truth.size(), climatology.size(), points));
  }
  const std::int64_t times = std::int64_t(truth.size()) / points;
  FieldErrors out;
  for (auto* v : {&out.mse, &out.bias, &out.acc}) v->assign(std::size_t(times), kNothing);
  parallel_for(times, [&](std::int64_t t) {
    double sum = 0, square = 0, error = 0, fo = 0, ff = 0, oo = 0;
    for (std::int64_t p = 0; p < points; ++p) {
      const std::size_t at = std::size_t(t * points + p);
      const double w = weights[std::size_t(p)], f = forecast[at], o = truth[at];
      if (std::isnan(f) || std::isnan(o)) continue;
      sum += w;
      square += w * (f - o) * (f - o);
      error += w * (f - o);
      if (climatology.empty() || std::isnan(climatology[at])) continue;
      const double a = f - climatology[at], b = o - climatology[at];
      fo += w * a * b;
      ff += w * a * a;
      oo += w * b * b;
    }
    if (sum <= 0) return;
    out.mse[std::size_t(t)] = square / sum;
    out.bias[std::size_t(t)] = error / sum;
    if (ff > 0 && oo > 0) out.acc[std::size_t(t)] = fo / std::sqrt(ff * oo);
  });
  return out;
}

FieldScores scores_of(const FieldErrors& e, std::int64_t block, std::int64_t resamples, std::uint64_t seed) {
  FieldScores out;
  out.times = std::int64_t(without_nan(e.mse).size());
  const Interval mse = mean_of(e.mse, block, resamples, seed);
  out.rmse = {std::sqrt(mse.value), std::sqrt(mse.low), std::sqrt(mse.high)};  // the root keeps the order of resamples
  out.acc = mean_of(e.acc, block, resamples, seed);
  out.bias = mean_of(e.bias, block, resamples, seed);
  return out;
}

}  // namespace tenon::climate
