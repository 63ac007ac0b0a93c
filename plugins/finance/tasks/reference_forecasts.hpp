/// Forecasts that need no training, to be printed beside every model's.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tenon::finance {

/// One forecaster. `history`: the series up to the origin, oldest first, at least two values; `points` [H] is filled, and `at_quantiles`
/// [H, Q], where the method has a distribution and quantiles are asked for. Sees nothing but the history.
class ReferenceForecast {
 public:
  virtual ~ReferenceForecast();
  virtual const std::string& name() const = 0;
  virtual const std::string& source() const = 0;  ///< how it is obtained, for the table
  virtual void forecast(std::span<const double> history, std::span<double> points, std::span<double> at_quantiles) const = 0;

 protected:
  ReferenceForecast() = default;
};
using ReferencePtr = std::unique_ptr<const ReferenceForecast>;

/// "Repeat": the last value; every quantile is that value.
ReferencePtr repeat_forecast();
/// The value one season before, from the last whole season on; the last value of a history shorter than that.
ReferencePtr seasonal_naive_forecast(std::int64_t season);
/// Random walk with drift: last + h times the mean step of the last `window` steps (0: all); normal quantiles from their population deviation,
/// sqrt(h) apart. `logarithms`: of the logarithms, for positive series; no drift is added to it then unless `drift`.
ReferencePtr random_walk_forecast(std::int64_t window, bool drift, bool logarithms, std::vector<double> quantiles);

}  // namespace tenon::finance
