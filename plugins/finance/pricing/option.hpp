/// What is priced, under which model: plain values, no global market state.
///
/// Rates and yields are continuous, a year, as fractions (0.05); volatilities a year; times in years (Actual/365F when made from dates).
#pragma once

#include <cstdint>

namespace tenon::finance {

enum class Payoff : std::uint8_t {
  european,          ///< max(w (S_T - K), 0), w = 1 for a call, -1 for a put
  asian_arithmetic,  ///< the mean of the fixings in the place of S_T
  asian_geometric    ///< their geometric mean
};

struct Option {
  Payoff payoff = Payoff::european;
  bool call = true;
  double strike = 100, years = 1;
  std::int64_t fixings = 12;  ///< Asian: at years i / fixings, i = 1 .. fixings; the spot today is none
};

struct BlackScholes {
  double spot = 100, rate = 0, dividend = 0, volatility = 0.2;
};

/// dv = kappa (theta - v) dt + sigma sqrt(v) dW, correlation rho with the spot's.
struct Heston {
  double spot = 100, rate = 0, dividend = 0, v0 = 0.04, kappa = 2, theta = 0.04, sigma = 0.5, rho = -0.7;
};

}  // namespace tenon::finance
