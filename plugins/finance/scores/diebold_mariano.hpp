/// Is one forecast better than another? Diebold and Mariano's test (1995) with the small-sample correction of Harvey, Leybourne and
/// Newbold (1997).
#pragma once

#include <cstdint>
#include <span>

namespace tenon::finance {

struct DieboldMariano {
  double mean_difference = 0;  ///< of the losses, first minus second: negative where the first is better
  double statistic = 0;        ///< t, with the correction
  double p_value = 1;          ///< two-sided, Student's t with n - 1 degrees
  double p_better = 1;         ///< one-sided: small where the first forecast is better
  std::int64_t n = 0, lags = 0;
  bool bartlett = false;       ///< the plain sum of autocovariances was not positive, and Bartlett's weights (Newey and West 1987) were used
};

/// `first` and `second`: losses of two forecasts, one an origin, in order of time. Forecasts of `horizon` steps overlap, so the variance of the
/// mean takes autocovariances up to lag horizon - 1, each divided by n, and the statistic the factor sqrt((n + 1 - 2 h + h (h - 1) / n) / n). That is
/// zero or not real for n <= h: the test is then undefined, statistic and p-values NaN. Two equal loss series give a statistic of 0 and a p-value of 1; two whose
/// difference is one constant, infinity and 0. Throws a usage error for lengths that differ, n < 2 or losses that are not finite.
DieboldMariano diebold_mariano(std::span<const double> first, std::span<const double> second, std::int64_t horizon);

}  // namespace tenon::finance
