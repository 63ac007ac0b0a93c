/// Prices in closed form or by one integral: the truths that simulation is held to.
#pragma once

#include <complex>

#include "finance/pricing/option.hpp"

namespace tenon::finance {

struct Greeks {
  double price = 0, delta = 0, gamma = 0, vega = 0, rho = 0, theta = 0;  ///< vega, rho a unit (1.00); theta a year, the change as time passes
};

/// Black and Scholes (1973), Merton's dividend yield. European only.
Greeks black_scholes(const BlackScholes& model, const Option& option);
/// Geometric Asian with discrete fixings: the geometric mean is lognormal (Kemna and Vorst 1990, discrete).
Greeks geometric_asian(const BlackScholes& model, const Option& option);

/// Heston (1993) in the form without a branch cut (Albrecher et al. 2007): E[exp(i u ln(S_T / F))].
std::complex<double> heston_characteristic(const Heston& model, double years, std::complex<double> u);
/// European price by Lewis's integral (2001), panels of Gauss-Legendre until it has decayed; about 1e-12 of the spot.
double heston_price(const Heston& model, const Option& option);
/// Volatility at which Black and Scholes give this price; NaN outside the bounds of arbitrage.
double implied_volatility(double price, const BlackScholes& market, const Option& option);

}  // namespace tenon::finance
