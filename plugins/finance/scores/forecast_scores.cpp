#include "finance/scores/forecast_scores.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "tenon/error.hpp"

namespace tenon::finance {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

}  // namespace

double pinball(double actual, double forecast, double q) noexcept {
  const double e = actual - forecast;
  return 2 * std::max(q * e, (q - 1) * e);
}

double seasonal_scale(std::span<const double> series, std::int64_t season) {
  if (season < 1) throw_usage("seasonal_scale", "season " + std::to_string(season), "it counts steps from 1");
  const std::int64_t n = std::int64_t(series.size());
  if (n <= season) return kNaN;
  double sum = 0;
  for (std::int64_t t = season; t < n; ++t) sum += std::fabs(series[std::size_t(t)] - series[std::size_t(t - season)]);
  return sum / double(n - season);
}

void sort_quantiles(std::span<double> at_quantiles) { std::sort(at_quantiles.begin(), at_quantiles.end()); }

std::size_t median_place(std::span<const double> quantiles) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < quantiles.size(); ++i)
    if (std::fabs(quantiles[i] - 0.5) < std::fabs(quantiles[best] - 0.5)) best = i;
  return best;
}

ForecastSums::ForecastSums(std::vector<double> quantiles) : quantiles_(std::move(quantiles)) {
  for (std::size_t i = 0; i < quantiles_.size(); ++i)
    if (!(quantiles_[i] > 0 && quantiles_[i] < 1) || (i > 0 && !(quantiles_[i] > quantiles_[i - 1])))
      throw_usage("ForecastSums", "quantile " + std::to_string(quantiles_[i]), "quantiles rise and lie between 0 and 1");
  pinball_.assign(quantiles_.size(), 0);
  below_.assign(quantiles_.size(), 0);
}

void ForecastSums::add(double actual, double point, std::span<const double> at_quantiles) {
  if (at_quantiles.size() != quantiles_.size())
    throw_usage("ForecastSums::add", std::to_string(at_quantiles.size()) + " quantiles", "give " + std::to_string(quantiles_.size()));
  const double e = actual - point, size = std::fabs(actual) + std::fabs(point);
  ++count_;
  square_ += e * e;
  absolute_ += std::fabs(e);
  if (size > 0) symmetric_ += 200 * std::fabs(e) / size;
  actual_ += std::fabs(actual);
  for (std::size_t i = 0; i < quantiles_.size(); ++i) {
    pinball_[i] += pinball(actual, at_quantiles[i], quantiles_[i]);
    below_[i] += actual <= at_quantiles[i];
  }
  if (quantiles_.size() > 1) covered_ += actual >= at_quantiles.front() && actual <= at_quantiles.back();
}

void ForecastSums::add(const ForecastSums& other) {
  if (other.quantiles_ != quantiles_) throw_usage("ForecastSums::add", "sums over other quantiles");
  count_ += other.count_;
  covered_ += other.covered_;
  square_ += other.square_;
  absolute_ += other.absolute_;
  symmetric_ += other.symmetric_;
  actual_ += other.actual_;
  for (std::size_t i = 0; i < quantiles_.size(); ++i) {
    pinball_[i] += other.pinball_[i];
    below_[i] += other.below_[i];
  }
}

void ForecastSums::clear() {
  std::fill(pinball_.begin(), pinball_.end(), 0.0);
  std::fill(below_.begin(), below_.end(), 0);
  count_ = covered_ = 0;
  square_ = absolute_ = symmetric_ = actual_ = 0;
}

double ForecastSums::actual() const { return actual_; }
double ForecastSums::mse() const { return count_ ? square_ / double(count_) : kNaN; }
double ForecastSums::mae() const { return count_ ? absolute_ / double(count_) : kNaN; }
double ForecastSums::smape() const { return count_ ? symmetric_ / double(count_) : kNaN; }
double ForecastSums::mase(double scale) const { return scale > 0 ? mae() / scale : kNaN; }

double ForecastSums::wql() const {
  if (quantiles_.empty() || !(actual_ > 0)) return kNaN;
  double sum = 0;
  for (double p : pinball_) sum += p / actual_;
  return sum / double(quantiles_.size());
}

double ForecastSums::mean_pinball() const {
  if (quantiles_.empty() || count_ == 0) return kNaN;
  double sum = 0;
  for (double p : pinball_) sum += p;
  return sum / double(quantiles_.size()) / double(count_);
}

double ForecastSums::coverage() const { return quantiles_.size() > 1 && count_ ? double(covered_) / double(count_) : kNaN; }

std::vector<double> ForecastSums::pit() const {
  std::vector<double> shares;
  for (std::int64_t b : below_) shares.push_back(count_ ? double(b) / double(count_) : kNaN);
  return shares;
}

}  // namespace tenon::finance
