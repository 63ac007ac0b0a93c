#include "finance/scores/diebold_mariano.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "finance/volatility/special.hpp"
#include "tenon/error.hpp"

namespace tenon::finance {
DieboldMariano diebold_mariano(std::span<const double> first, std::span<const double> second, std::int64_t horizon) {
  if (first.size() != second.size())
    throw_usage("diebold_mariano", std::to_string(first.size()) + " losses against " + std::to_string(second.size()), "give one loss an origin of both");
  if (first.size() < 2) throw_usage("diebold_mariano", std::to_string(first.size()) + " origins", "at least two are needed");
  if (horizon < 1) throw_usage("diebold_mariano", "horizon " + std::to_string(horizon), "it counts steps from 1");
  const std::int64_t n = std::int64_t(first.size());
  std::vector<double> d(first.size());
  double sum = 0, largest = 0;
  for (std::size_t i = 0; i < d.size(); ++i) {
    if (!std::isfinite(first[i]) || !std::isfinite(second[i])) throw_usage("diebold_mariano", "loss " + std::to_string(i) + " is not finite");
    sum += d[i] = first[i] - second[i];
    largest = std::max(largest, std::fabs(d[i]));
  }
  DieboldMariano result;
  result.n = n;
  result.lags = horizon - 1;
  result.mean_difference = sum / double(n);
  if (n <= horizon) {
    result.statistic = result.p_value = result.p_better = std::numeric_limits<double>::quiet_NaN();
    return result;
  }
  double spread = 0;
  for (double& v : d) {
    v -= result.mean_difference;
    spread = std::max(spread, std::fabs(v));
  }
  if (spread <= 1e-14 * largest || largest == 0) {  // no variance: equal forecasts, or one better by a constant
    if (result.mean_difference == 0) return result;
    result.statistic = std::copysign(std::numeric_limits<double>::infinity(), result.mean_difference);
    result.p_value = 0;
    result.p_better = result.mean_difference < 0 ? 0 : 1;
    return result;
  }
  double plain = 0, bartlett = 0;
  for (std::int64_t lag = 0; lag <= result.lags; ++lag) {
    double covariance = 0;
    for (std::int64_t t = lag; t < n; ++t) covariance += d[std::size_t(t)] * d[std::size_t(t - lag)];
    covariance /= double(n);
    plain += (lag == 0 ? 1 : 2) * covariance;
    bartlett += (lag == 0 ? 1 : 2) * (1 - double(lag) / double(result.lags + 1)) * covariance;
  }
  // the plain sum is no variance where many lags meet few origins; Bartlett's is never negative
  result.bartlett = !(plain > 1e-12 * spread * spread);
  const double variance = (result.bartlett ? bartlett : plain) / double(n);
  const double h = double(horizon), count = double(n);
  const double correction = std::sqrt((count + 1 - 2 * h + h * (h - 1) / count) / count);  // positive: n > h
  result.statistic = correction * result.mean_difference / std::sqrt(variance);
  result.p_better = student_t_cdf(result.statistic, count - 1);
  result.p_value = 2 * student_t_cdf(-std::fabs(result.statistic), count - 1);
  return result;
}

}  // namespace tenon::finance
