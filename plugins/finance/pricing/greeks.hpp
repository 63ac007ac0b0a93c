/// Sensitivities by simulation under geometric Brownian motion, first and second order.
///
/// Pathwise through the core's autograd: each path's discounted value is a graph over its own leaves (spot, volatility, rate, time), so
/// one backward pass gives every path's derivatives and with them standard errors; a second pass through the gradients (create_graph)
/// gives the second order. A kinked payoff has second derivatives of zero almost everywhere, which pathwise estimates would miss;
/// here one direction of each path is integrated in closed form (conditional Monte Carlo, Glasserman 2003, 7.2.3), which leaves the
/// expectation as it is and makes every path smooth: for a European option the second half of the way, for an Asian one the end of the
/// path given its Brownian bridge, which moves the mean however many fixings there are. Nothing is biased by a bump.
/// Cost: about 40 f64 numbers a path and step in memory for the block of paths at hand; a few hundred nanoseconds a step.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "finance/pricing/monte_carlo.hpp"

namespace tenon::finance {

/// Rows of a table of sensitivities: per unit (1.00) of volatility and rate; theta per year, as time passes.
enum GreekIndex : int { kPrice, kDelta, kGamma, kVega, kRho, kTheta, kVanna, kVolga, kGreeks };
const char* name_of_greek(int index) noexcept;

struct GreekEstimate {
  double value = 0, standard_error = 0;  ///< NaN where the sample cannot carry them
  std::string trouble = {};              ///< why not; empty where there is an estimate
};
using GreekTable = std::array<GreekEstimate, kGreeks>;

/// Steps default to the fixings, 12 for a European option. One step leaves nothing to simulate: the values are then exact.
GreekTable pathwise_greeks(const BlackScholes& model, const Option& option, const MonteCarlo& how);

/// Central differences of the raw payoffs on the same paths (same counters), with the standard errors of the differences. Steps are shares of
/// the width of the distribution: 1e-3 in first order; in second order .1 (100,000 paths / paths)^(1/5), which keeps the bias below the error.
GreekTable bump_greeks(const BlackScholes& model, const Option& option, const MonteCarlo& how);

struct GreekComparison {
  GreekTable pathwise, bump;
  GreekTable difference;  ///< pathwise - bump path by path: both errors and their correlation are in its standard error
};
GreekComparison compare_greeks(const BlackScholes& model, const Option& option, const MonteCarlo& how, bool pathwise = true, bool bump = true);

/// In closed form for European and geometric Asian options; NaN where there is none.
std::array<double, kGreeks> exact_greeks(const BlackScholes& model, const Option& option);

std::int64_t greek_steps(const BlackScholes& model, const Option& option, const MonteCarlo& how);

}  // namespace tenon::finance
