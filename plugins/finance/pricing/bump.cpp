/// Central differences of the raw payoffs on common numbers (private: greeks.hpp is the way in).
#include <algorithm>
#include <cmath>

#include "finance/pricing/greek_rows.hpp"
#include "finance/pricing/paths.hpp"

namespace tenon::finance {
namespace {

/// Steps in units of what they move. The payoff's kink passes a path by chance; what counts is the step beside the width of the distribution.
/// First order: differences of a kinked payoff have a bounded variance, so the step may be as small as rounding allows (bias ~ step^2).
/// Second order: of a share `u` of the width, the relative bias is about u^2 / 12 and the relative error about 1.3 / sqrt(paths u); with
/// u ~ paths^(-1/5) the first stays well below a tenth of the second however many paths there are.
struct Steps {
  double spot, volatility, rate, years;              // first order
  double curve_spot, curve_volatility;               // second order
  Steps(const BlackScholes& m, const Option& o, std::int64_t paths) {
    const double n = double(o.fixings);
    const double share = o.payoff == Payoff::european ? 1 : std::sqrt((n + 1) * (2 * n + 1) / 6) / n;  // of the mean's logarithm
    const double width = m.volatility * std::sqrt(o.years) * share, drift = std::abs(m.rate - m.dividend - 0.5 * m.volatility * m.volatility) * o.years;
    constexpr double kSmall = 1e-3;
    spot = kSmall * std::min(1.0, width) * m.spot;
    volatility = kSmall * m.volatility / std::max(1.0, width);
    rate = kSmall * std::min(1.0, width) / o.years;
    years = kSmall * std::min(1.0, width / std::max(width, drift)) / std::max(1.0, width) * o.years;
    const double u = std::min(0.25, 0.1 * std::pow(1e5 / double(paths), 0.2));
    curve_spot = u * std::min(1.0, width) * m.spot;
    curve_volatility = u * m.volatility / std::max(1.0, width);
  }
};

}  // namespace

void bump_rows(const BlackScholes& m, const Option& o, std::uint64_t seed, std::int64_t first, std::int64_t n, std::int64_t steps, std::int64_t all, GreekRows& rows) {
  const Steps h(m, o, all);
  const double sign = o.call ? 1 : -1;
  const PathWants wants{o.payoff != Payoff::european, o.payoff == Payoff::european ? 1 : steps / o.fixings};
  PathBlock block;
  for (auto& row : rows) row.assign(std::size_t(n), 0.0);
  /// Adds weight x payoff under a bumped market to a row.
  const auto add = [&](double ds, double dv, double dr, double dt, std::initializer_list<std::pair<GreekIndex, double>> to) {
    const BlackScholes bumped{m.spot + ds, m.rate + dr, m.dividend, m.volatility + dv};
    const double years = o.years + dt, discount = std::exp(-bumped.rate * years);
    simulate_block(bumped, years, steps, seed, wants, first, (n + 7) / 8 * 8, block);
    for (std::size_t p = 0; p < std::size_t(n); ++p) {
      const double x = o.payoff == Payoff::european ? block.terminal[p] : o.payoff == Payoff::asian_arithmetic ? block.mean[p] : std::exp(block.log_mean[p]);
      const double paid = discount * std::max(0.0, sign * (x - o.strike));
      for (const auto& [greek, weight] : to) rows[std::size_t(greek)][p] += weight * paid;
    }
  };
  const double s = h.curve_spot, v = h.curve_volatility;
  add(0, 0, 0, 0, {{kPrice, 1}, {kGamma, -2 / (s * s)}, {kVolga, -2 / (v * v)}});
  for (double up : {1.0, -1.0}) {
    add(up * h.spot, 0, 0, 0, {{kDelta, up / (2 * h.spot)}});
    add(0, up * h.volatility, 0, 0, {{kVega, up / (2 * h.volatility)}});
    add(0, 0, up * h.rate, 0, {{kRho, up / (2 * h.rate)}});
    add(0, 0, 0, up * h.years, {{kTheta, -up / (2 * h.years)}});
    add(up * s, 0, 0, 0, {{kGamma, 1 / (s * s)}});
    add(0, up * v, 0, 0, {{kVolga, 1 / (v * v)}});
    for (double other : {1.0, -1.0}) add(up * s, other * v, 0, 0, {{kVanna, up * other / (4 * s * v)}});
  }
}

}  // namespace tenon::finance
