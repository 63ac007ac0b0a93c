/// Monte Carlo of option prices: Philox counters keyed (path, step, factor), no stored normals, the same bits for any thread count.
///
/// The words of step s of path p are Random(seed, stream of s).bits(p): a path is what it is whatever paths run beside it, so that more
/// paths extend a run, and bumped models see the same numbers. Sums go by blocks of 4,096 paths in a fixed order.
/// Cost, one core with AVX2: a few nanoseconds a step of a path (tests/bench/pricing.sh).
#pragma once

#include <cstdint>
#include <string>

#include "finance/pricing/option.hpp"
#include "finance/pricing/sample.hpp"

namespace tenon::finance {

enum class HestonScheme : std::uint8_t {
  quadratic_exponential,  ///< Andersen (2008), psi_c = 1.5, central weights
  full_truncation         ///< Euler (Lord, Koekkoek and van Dijk 2010)
};

constexpr std::int64_t kMostPaths = 10'000'000'000, kMostSteps = 1'000'000;
constexpr double kMostPathSteps = 1e13;               ///< about half a day of a core
constexpr double kLeastPrice = 1e-30, kMostPrice = 1e30;  ///< of spot and strike: fourth powers of their ratio are summed
constexpr double kLeastYears = 1e-9, kMostYears = 1000, kMostRate = 10;
constexpr double kLeastVolatility = 1e-9, kMostVolatility = 1000;
constexpr double kLeastHeston = 1e-6, kMostKappa = 10'000, kMostVariance = 100, kMostSigma = 1000, kMostRho = 0.9999;

struct MonteCarlo {
  std::int64_t paths = 100'000;
  /// 0: the model's own choice. GBM: 1, or the fixings. Heston: 100 a year, more where the variance reverts or moves fast (steps_of). A multiple
  /// of the fixings.
  std::int64_t steps = 0;
  std::uint64_t seed = 0;
  bool control = true;  ///< a control variate of known mean: the geometric Asian payoff, else the spot at the end
  HestonScheme scheme = HestonScheme::quadratic_exponential;
  Interrupted interrupted = {};  ///< when it says so, the simulation stops within about a second with the error run.interrupted
};

enum class ControlUse : std::uint8_t {
  none,        ///< not asked for, or not to be trusted
  regression,  ///< on the control, weight by least squares
  parity       ///< the put's bounded payoff and the known mean, where the spot at the end is too wide to be sampled
};

struct Estimate {
  double value = 0, standard_error = 0;          ///< NaN where the sample cannot carry them: see trouble
  double raw_value = 0, raw_standard_error = 0;  ///< without the control variate; NaN likewise
  std::string trouble, raw_trouble;              ///< why there is no estimate; empty where there is one
  ControlUse control = ControlUse::none;
  double control_weight = 0;
  std::int64_t paths = 0, steps = 0;
};

/// Throws usage errors finance.option (strike, years, volatility or fixings out of their range, steps that the fixings do not divide).
Estimate simulate_price(const BlackScholes& model, const Option& option, const MonteCarlo& how);
Estimate simulate_price(const Heston& model, const Option& option, const MonteCarlo& how);

/// Steps that `how` comes to for this option.
std::int64_t steps_of(const BlackScholes& model, const Option& option, const MonteCarlo& how);
/// By default dt is at most .01, .1 / kappa and 1 / (30 sigma), within 20 to 20,000 steps, and an even number a fixing.
std::int64_t steps_of(const Heston& model, const Option& option, const MonteCarlo& how);
/// Throws finance.option for what cannot be priced.
void require_valid(const BlackScholes& model, const Option& option);
void require_valid(const Heston& model, const Option& option);

/// The normals of the paths [first, first + paths), row major [paths, steps]: what simulate_price under GBM uses.
void path_normals(std::uint64_t seed, std::int64_t first, std::int64_t paths, std::int64_t steps, double* out);

}  // namespace tenon::finance
