/// Monte Carlo of option prices: Philox counters keyed (path, step, factor), no stored normals, the same bits for any thread count.
///
/// The words of step s of path p are Random(seed, stream of s).bits(p): a path is what it is whatever paths run beside it, so that more
/// paths extend a run, and bumped models see the same numbers. Sums go by blocks of 4,096 paths in a fixed order.
/// Cost, one core with AVX2: a few nanoseconds a step of a path (tests/bench/pricing.sh).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "finance/pricing/option.hpp"

namespace tenon::finance {

enum class HestonScheme : std::uint8_t {
  quadratic_exponential,  ///< Andersen (2008), psi_c = 1.5, central weights
  full_truncation         ///< Euler (Lord, Koekkoek and van Dijk 2010)
};

struct MonteCarlo {
  std::int64_t paths = 100'000;
  std::int64_t steps = 0;  ///< 0: the fixings of an Asian option; else 1 under GBM and 100 a year under Heston. A multiple of the fixings
  std::uint64_t seed = 0;
  bool control = true;  ///< a control variate of known mean: the geometric Asian payoff, else the spot at the end
  HestonScheme scheme = HestonScheme::quadratic_exponential;
};

struct Estimate {
  double value = 0, standard_error = 0;
  double raw_value = 0, raw_standard_error = 0;  ///< without the control variate
  double control_weight = 0;
  std::int64_t paths = 0, steps = 0;
};

/// Throws usage errors finance.option (strike, years, volatility or fixings out of their range, steps that the fixings do not divide).
Estimate simulate_price(const BlackScholes& model, const Option& option, const MonteCarlo& how);
Estimate simulate_price(const Heston& model, const Option& option, const MonteCarlo& how);

/// Steps that `how` comes to for this option.
std::int64_t steps_of(const BlackScholes& model, const Option& option, const MonteCarlo& how);
std::int64_t steps_of(const Heston& model, const Option& option, const MonteCarlo& how);
/// Throws finance.option for what cannot be priced.
void require_valid(const BlackScholes& model, const Option& option);
void require_valid(const Heston& model, const Option& option);

/// The normals of the paths [first, first + paths), row major [paths, steps]: what simulate_price under GBM uses.
void path_normals(std::uint64_t seed, std::int64_t first, std::int64_t paths, std::int64_t steps, double* out);

}  // namespace tenon::finance
