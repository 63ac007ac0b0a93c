/// Value at risk: rolling one-step forecasts and the tests that judge them.
///
/// VaR at level p (0.01: one day in a hundred) is a loss, positive: the return falls below -VaR with probability p. A forecast for row t uses rows
/// before t only.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "finance/volatility/garch.hpp"

namespace tenon::finance {

/// A likelihood-ratio test and its p-value.
struct RatioTest {
  double statistic = 0, p = 1;
};
/// Kupiec (1995): is the share of exceedances p? chi-squared(1).
RatioTest kupiec(std::int64_t days, std::int64_t exceedances, double level);
/// Christoffersen (1998): does an exceedance follow an exceedance more (or less) often than a quiet day? chi-squared(1). The transitions are
/// those between the n days, n - 1 of them; with no exceedance before another the ratio is that of the counts that are there (0 log 0 = 0).
RatioTest christoffersen(std::span<const std::uint8_t> hits);
/// Both at once: conditional coverage, chi-squared(2), the sum of the two statistics.
RatioTest conditional_coverage(std::span<const std::uint8_t> hits, double level);

enum class VarMethod : std::uint8_t {
  historical,  ///< quantile of the window's returns
  filtered,    ///< quantile of the window's GARCH residuals, times the forecast deviation (Barone-Adesi et al. 1999; the model is normal, quasi-likelihood)
  garch,       ///< quantile of the model's own innovations
};

struct VarOptions {
  VarMethod method = VarMethod::historical;
  GarchModel model;
  std::vector<double> levels = {0.01, 0.025, 0.05};
  std::int64_t window = 1000;      ///< rows before each forecast
  std::int64_t refit_every = 1;    ///< rows between fits; in between the parameters stay and the variance goes on with the data
  std::string str() const;         ///< "historical", "filtered-gjr", "garch-t"
};

struct VarForecasts {
  std::int64_t first = 0;                     ///< row of the first forecast
  std::vector<std::vector<double>> var;       ///< [level][day], positive losses, in the unit of the returns
  std::vector<std::vector<double>> shortfall; ///< expected shortfall: the mean loss beyond VaR under the same distribution
  std::vector<double> variance;               ///< [day] forecast of the variance; the window's for historical
  std::int64_t fits = 0, flagged = 0;         ///< fits made, and those that did not converge or lie on a bound
};

/// One-step forecasts for rows [first, last) of the returns. Throws finance.window when fewer than `window` rows precede `first`. Parallel over
/// fixed blocks of days, each of which begins with a cold fit: results do not depend on the thread count.
VarForecasts forecast_var(std::span<const double> returns, std::int64_t first, std::int64_t last, const VarOptions& options);

/// Mean of s/h - ln(s/h) - 1 over the days with s > 0 (s the realised variance, h the forecast).
double qlike(std::span<const double> realised, std::span<const double> forecast);

/// Sample quantile by linear interpolation between order statistics (numpy's default).
double sample_quantile(std::vector<double> values, double q);

}  // namespace tenon::finance
