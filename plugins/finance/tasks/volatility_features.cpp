#include "finance/tasks/volatility_features.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "tenon/error.hpp"

namespace tenon::finance {
namespace {

constexpr double kFloor = 1e-4;  ///< per cent squared, under the logarithms: a day without a move

/// Exponential average with a half-life, from the first value on.
class Decay {
 public:
  explicit Decay(double half_life) : weight_(1 - std::exp2(-1 / half_life)) {}
  double add(double x) {
    value_ = begun_ ? value_ + weight_ * (x - value_) : x;
    begun_ = true;
    return value_;
  }

 private:
  double weight_, value_ = 0;
  bool begun_ = false;
};

double square(double x) { return x * x; }

}  // namespace

const std::vector<std::string>& volatility_feature_names() {
  static const std::vector<std::string> names{"range 1",  "range 5", "range 20", "range 60", "falls 3", "squares 10"};
  return names;
}

Panel volatility_features(const Panel& prices, const PriceColumns& c) {
  const std::int64_t open = prices.index_of(c.open), high = prices.index_of(c.high), low = prices.index_of(c.low), close = prices.index_of(c.close),
                     price = prices.index_of(c.price);
  Panel out;
  out.times = prices.times;
  out.has_calendar = prices.has_calendar;
  out.source = prices.source;
  out.names = {"return", "range variance"};
  for (const auto& name : volatility_feature_names()) out.names.push_back(name);
  Decay range1(1), range5(5), range20(20), range60(60), falls(3), squares(10);
  for (std::int64_t t = 0; t < prices.rows(); ++t) {
    const auto day = [&] { return prices.source + ": " + (prices.has_calendar ? time_text(prices.times[std::size_t(t)]) : "row " + std::to_string(t + 1)); };
    for (std::int64_t column : {open, high, low, close, price})
      if (!(prices.at(t, column) > 0) || !std::isfinite(prices.at(t, column)))
        throw Error(ErrorKind::data, "finance.price", fmt::format("'{}' is {}", prices.names[std::size_t(column)], prices.at(t, column)),
                    "a return needs positive prices: correct the cell", day());
    const double o = prices.at(t, open), h = prices.at(t, high), l = prices.at(t, low), k = prices.at(t, close);
    if (l > h || o > h || o < l || k > h || k < l)
      throw Error(ErrorKind::data, "finance.price_order", fmt::format("open {}, high {}, low {}, close {} contradict each other", o, h, l, k), "correct the row", day());
    const double r = t == 0 ? 0 : 100 * (prices.at(t, price) / prices.at(t - 1, price) - 1);
    const double gap = t == 0 ? 0 : 100 * std::log(o / prices.at(t - 1, close));
    const double within = 0.5 * square(100 * std::log(h / l)) - (2 * std::log(2.0) - 1) * square(100 * std::log(k / o));
    const double variance = std::max(square(gap) + within, 0.0);
    out.values.insert(out.values.end(), {r, variance, std::log(range1.add(variance) + kFloor), std::log(range5.add(variance) + kFloor),
                                         std::log(range20.add(variance) + kFloor), std::log(range60.add(variance) + kFloor),
                                         std::log(falls.add(square(std::min(r, 0.0))) + kFloor), std::log(squares.add(square(r)) + kFloor)});
  }
  return out;
}

}  // namespace tenon::finance
