/// Scores of point and quantile forecasts over a panel, summed as forecasts come.
///
/// Definitions (a: what came, f: the forecast, over all windows and steps of a series):
///   MSE, MAE     means of (a - f)^2 and |a - f|
///   MASE         mean |a - f| / mean |x_t - x_(t-m)| over the training rows (Hyndman and Koehler 2006)
///   sMAPE        mean of 200 |a - f| / (|a| + |f|), in per cent; a term is 0 where both are 0
///   pinball      2 max(q (a - f_q), (q - 1) (a - f_q))
///   WQL          mean over q of sum pinball / sum |a| (GluonTS' form); over several series both sums run over all of them
///   coverage     share of a in [f_low, f_high], the outermost quantiles
///   PIT          share of a at or below each quantile: q itself where the forecast is calibrated
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tenon::finance {

/// Sums over windows and steps of one series and one horizon. Plain sums in double: adding in another order changes last bits, so callers
/// add in the order of the origins.
class ForecastSums {
 public:
  ForecastSums() = default;
  /// `quantiles`: rising, in (0, 1); empty for point forecasts only.
  explicit ForecastSums(std::vector<double> quantiles);

  /// One step: what came, the point forecast, and one value a quantile.
  void add(double actual, double point, std::span<const double> at_quantiles = {});
  void add(const ForecastSums& other);
  void clear();  ///< back to nothing added

  std::int64_t count() const noexcept { return count_; }
  double actual() const;  ///< sum of |a|
  double mse() const, mae() const, smape() const;
  /// `scale`: seasonal_scale() of the training rows; NaN where it is 0.
  double mase(double scale) const;
  double wql() const;                ///< NaN without quantiles, or where every actual is 0
  double mean_pinball() const;       ///< mean over quantiles and steps of the pinball loss above
  double coverage() const;           ///< of the outermost pair; NaN with fewer than two quantiles
  std::vector<double> pit() const;   ///< one a quantile
  const std::vector<double>& quantiles() const noexcept { return quantiles_; }

 private:
  std::vector<double> quantiles_, pinball_;
  std::vector<std::int64_t> below_;
  std::int64_t count_ = 0, covered_ = 0;
  double square_ = 0, absolute_ = 0, symmetric_ = 0, actual_ = 0;
};

double pinball(double actual, double forecast, double q) noexcept;

/// mean |x_t - x_(t-season)| over the series; NaN for a series no longer than the season.
double seasonal_scale(std::span<const double> series, std::int64_t season);

/// Makes quantile forecasts of one step rise with q by sorting them (Chernozhukov, Fernandez-Val and Galichon 2010): never worse in pinball.
void sort_quantiles(std::span<double> at_quantiles);
/// Place of the median among rising quantiles, or of the one nearest to it.
std::size_t median_place(std::span<const double> quantiles);

}  // namespace tenon::finance
