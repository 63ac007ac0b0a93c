#include "finance/tasks/reference_forecasts.hpp"

#include <algorithm>
#include <cmath>

#include "finance/volatility/special.hpp"

namespace tenon::finance {
namespace {

class Named : public ReferenceForecast {
 public:
  Named(std::string name, std::string source) : name_(std::move(name)), source_(std::move(source)) {}
  const std::string& name() const override { return name_; }
  const std::string& source() const override { return source_; }

 private:
  std::string name_, source_;
};

/// Every quantile is the point.
void degenerate(std::span<const double> points, std::span<double> at_quantiles) {
  const std::size_t q = points.empty() ? 0 : at_quantiles.size() / points.size();
  for (std::size_t i = 0; i < at_quantiles.size(); ++i) at_quantiles[i] = points[i / q];
}

class Repeat final : public Named {
 public:
  Repeat() : Named("repeat", "computed: the last value") {}
  void forecast(std::span<const double> history, std::span<double> points, std::span<double> at_quantiles) const override {
    std::fill(points.begin(), points.end(), history.back());
    degenerate(points, at_quantiles);
  }
};

class SeasonalNaive final : public Named {
 public:
  explicit SeasonalNaive(std::int64_t season)
      : Named("seasonal naive", "computed: the value " + std::to_string(season) + " steps, a season, before"), season_(std::size_t(season)) {}
  void forecast(std::span<const double> history, std::span<double> points, std::span<double> at_quantiles) const override {
    const std::size_t season = history.size() >= season_ ? season_ : 1;
    for (std::size_t h = 0; h < points.size(); ++h) points[h] = history[history.size() - season + h % season];
    degenerate(points, at_quantiles);
  }

 private:
  std::size_t season_;
};

class RandomWalk final : public Named {
 public:
  RandomWalk(std::int64_t window, bool drift, bool logarithms, std::vector<double> quantiles)
      : Named(drift ? "random walk with drift" : "random walk",
              std::string("computed: ") + (logarithms ? "logarithms, " : "") + "normal steps, deviation" + (drift ? " and mean" : "") + " of the last " +
                  (window ? std::to_string(window) + " " : "") + "steps before each origin"),
        window_(std::size_t(window)), drift_(drift), logarithms_(logarithms) {
    for (double q : quantiles) normal_.push_back(normal_quantile(q));
  }
  void forecast(std::span<const double> history, std::span<double> points, std::span<double> at_quantiles) const override {
    auto value = [&](std::size_t t) { return logarithms_ ? std::log(history[t]) : history[t]; };
    const std::size_t steps = window_ ? std::min(window_, history.size() - 1) : history.size() - 1, first = history.size() - steps;
    double sum = 0, squares = 0;
    for (std::size_t t = first; t < history.size(); ++t) sum += value(t) - value(t - 1);
    const double mean = sum / double(steps);
    if (!at_quantiles.empty())
      for (std::size_t t = first; t < history.size(); ++t) squares += (value(t) - value(t - 1) - mean) * (value(t) - value(t - 1) - mean);
    const double deviation = std::sqrt(squares / double(steps)), last = value(history.size() - 1);
    for (std::size_t h = 0; h < points.size(); ++h) {
      const double centre = last + (drift_ ? mean * double(h + 1) : 0);
      points[h] = logarithms_ ? std::exp(centre) : centre;
      for (std::size_t q = 0; q < normal_.size() && !at_quantiles.empty(); ++q) {
        const double x = centre + deviation * std::sqrt(double(h + 1)) * normal_[q];
        at_quantiles[h * normal_.size() + q] = logarithms_ ? std::exp(x) : x;
      }
    }
  }

 private:
  std::size_t window_;
  bool drift_, logarithms_;
  std::vector<double> normal_;
};

}  // namespace

ReferenceForecast::~ReferenceForecast() = default;

ReferencePtr repeat_forecast() { return std::make_unique<Repeat>(); }
ReferencePtr seasonal_naive_forecast(std::int64_t season) { return std::make_unique<SeasonalNaive>(season); }
ReferencePtr random_walk_forecast(std::int64_t window, bool drift, bool logarithms, std::vector<double> quantiles) {
  return std::make_unique<RandomWalk>(window, drift, logarithms, std::move(quantiles));
}

}  // namespace tenon::finance
