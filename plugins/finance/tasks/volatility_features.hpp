/// What a volatility model reads of a day: features of prices known at its close.
///
/// From open, high, low, close and (adjusted) price: the return r_t = 100 (P_t / P_(t-1) - 1) and the range variance of the day in per cent
/// squared, v_t = (100 ln O_t / C_(t-1))^2 + Garman and Klass's estimate (1980) of the rest. Each feature is the logarithm of an exponential average, right-aligned:
/// of v with half-lives of 1, 5, 20 and 60 days (Corsi's cascade, 2009), of min(r, 0)^2 with 3 days (falls raise volatility more), of r^2 with
/// 10 days. An average begins with the first day's value. Rows before the `warm_up`-th are not to be trained on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "finance/panel/panel.hpp"

namespace tenon::finance {

inline constexpr std::int64_t kVolatilityWarmUp = 60;

/// The columns of a price panel, in the file's names. `price`: for returns, adjusted for dividends and splits.
struct PriceColumns {
  std::string open, high, low, close, price;
};

/// A panel of columns "return", "range variance" and the six features, on the prices' days. The first row's return is 0 (there is none before it).
/// Throws finance.price for a price that is not positive, finance.price_order where high, low, open and close contradict each other, both with the day. A pure
/// function of the rows up to each row: audit() of panel.hpp holds for it.
Panel volatility_features(const Panel& prices, const PriceColumns& columns);
const std::vector<std::string>& volatility_feature_names();

}  // namespace tenon::finance
