// Right-aligned rolling operations. Each window is computed from its own values alone, so that a value does not hang on how long the
// history before it is: running sums would leave other rounding errors behind, and `audit` compares bits.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "finance/panel/panel.hpp"
#include "tenon/error.hpp"

namespace tenon::finance {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

template <class F> std::vector<double> over_windows(const char* name, std::span<const double> x, std::int64_t n, F f) {
  if (n < 1) throw_usage(name, fmt::format("a window of {} values", n), "a window has at least one value");
  std::vector<double> out(x.size(), kNaN);
  for (std::size_t t = std::size_t(n) - 1; t < x.size(); ++t) {
    const auto window = x.subspan(t + 1 - std::size_t(n), std::size_t(n));
    out[t] = f(window);
  }
  return out;
}

double mean_of(std::span<const double> w) {
  double sum = 0;
  for (double v : w) sum += v;
  return sum / double(w.size());
}

bool has_nan(std::span<const double> w) {
  return std::any_of(w.begin(), w.end(), [](double v) { return std::isnan(v); });
}

}  // namespace

std::vector<double> rolling_mean(std::span<const double> x, std::int64_t n) { return over_windows("rolling_mean", x, n, mean_of); }

std::vector<double> rolling_deviation(std::span<const double> x, std::int64_t n, int ddof) {
  if (n <= ddof) throw_usage("rolling_deviation", fmt::format("a window of {} values with ddof {}", n, ddof));
  return over_windows("rolling_deviation", x, n, [ddof](std::span<const double> w) {
    const double m = mean_of(w);
    double sum = 0;
    for (double v : w) sum += (v - m) * (v - m);
    return std::sqrt(sum / double(std::int64_t(w.size()) - ddof));
  });
}

std::vector<double> rolling_min(std::span<const double> x, std::int64_t n) {
  return over_windows("rolling_min", x, n, [](std::span<const double> w) { return has_nan(w) ? kNaN : *std::min_element(w.begin(), w.end()); });
}

std::vector<double> rolling_max(std::span<const double> x, std::int64_t n) {
  return over_windows("rolling_max", x, n, [](std::span<const double> w) { return has_nan(w) ? kNaN : *std::max_element(w.begin(), w.end()); });
}

std::vector<double> rolling_quantile(std::span<const double> x, std::int64_t n, double q) {
  if (!(q >= 0 && q <= 1)) throw_usage("rolling_quantile", fmt::format("quantile {}", q), "a quantile lies in [0, 1]");
  std::vector<double> sorted;
  return over_windows("rolling_quantile", x, n, [&](std::span<const double> w) {
    if (has_nan(w)) return kNaN;
    sorted.assign(w.begin(), w.end());
    std::sort(sorted.begin(), sorted.end());
    const double place = q * double(w.size() - 1);
    const auto low = std::size_t(place);
    const double f = place - double(low);
    return f == 0 ? sorted[low] : sorted[low] + f * (sorted[low + 1] - sorted[low]);
  });
}

std::vector<double> returns_of(std::span<const double> prices, ReturnKind kind) {
  std::vector<double> out(prices.size(), kNaN);
  for (std::size_t t = 1; t < prices.size(); ++t) {
    const double ratio = prices[t] / prices[t - 1];
    out[t] = kind == ReturnKind::log ? std::log(ratio) : ratio - 1;
  }
  return out;
}

}  // namespace tenon::finance
