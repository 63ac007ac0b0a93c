#include "finance/pricing/monte_carlo.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "finance/pricing/closed_form.hpp"
#include "finance/pricing/paths.hpp"
#include "tenon/error.hpp"
#include "tenon/kernel.hpp"

namespace tenon::finance {
namespace {

constexpr std::int64_t kBlock = 4096;  // paths

[[noreturn]] void refuse(const std::string& what, const char* hint) { throw Error(ErrorKind::usage, "finance.option", what, hint); }

void require_option(const Option& o, double spot) {
  if (!(spot >= kLeastPrice && spot <= kMostPrice)) refuse(fmt::format("a spot of {}", spot), "it lies in 1e-30 to 1e30");
  if (!(o.strike >= kLeastPrice && o.strike <= kMostPrice)) refuse(fmt::format("a strike of {}", o.strike), "it lies in 1e-30 to 1e30");
  if (!(o.years >= kLeastYears && o.years <= kMostYears)) refuse(fmt::format("an option of {} years", o.years), "give the time to expiry in years: 1e-9 to 1000");
  if (o.payoff != Payoff::european && o.fixings < 1) refuse(fmt::format("an Asian option with {} fixings", o.fixings), "give at least one (--fixings)");
}

void require_rates(double rate, double dividend, double years) {
  if (!(std::abs(rate) <= kMostRate && std::abs(dividend) <= kMostRate)) refuse(fmt::format("a rate of {} and a dividend yield of {}", rate, dividend), "give fractions, -10 to 10: 0.05 for 5 %");
  if (std::max(std::abs(rate), std::abs(dividend)) * years > 100) refuse(fmt::format("a rate of {} and a dividend yield of {} over {} years", rate, dividend, years), "rate x years is 100 at most");
}

std::int64_t steps_for(const Option& o, const MonteCarlo& how, std::int64_t plain) {
  if (how.paths < 2 || how.paths > kMostPaths) refuse(fmt::format("{} paths", how.paths), "give 2 to 1e10 (--paths)");
  std::int64_t steps = how.steps;
  if (steps == 0) steps = o.payoff == Payoff::european ? plain : o.fixings * std::max<std::int64_t>(1, plain / o.fixings);
  if (steps < 1 || steps > kMostSteps) refuse(fmt::format("{} steps", steps), "give 1 to 1,000,000 (--steps)");
  if (o.payoff != Payoff::european && steps % o.fixings) refuse(fmt::format("{} steps for {} fixings", steps, o.fixings), "steps are a multiple of the fixings, so that each falls on one");
  if (double(how.paths) * double(steps) > kMostPathSteps) refuse(fmt::format("{} paths of {} steps", how.paths, steps), "1e13 path-steps are the most, half a day of a core: fewer --paths or --steps");
  return steps;
}

using Simulate = std::function<void(std::int64_t first, std::int64_t n, PathBlock& out)>;

/// What is estimated of a path: payoff y, control c, the residual r of y on c by a weight known beforehand, and the put's payoff p.
/// The weight reported is fitted to all paths; r only tells how far the residuals can be trusted.
struct Sums {
  Sample y, c, r, p;
  double yc = 0, pilot_weight = 0, hits = 0, misses = 0;
  void add(double payoff, double control, double put) {
    y.add(payoff);
    c.add(control);
    r.add(payoff - pilot_weight * control);
    p.add(put);
    yc += (payoff - y.shift) * (control - c.shift);
    hits += payoff > 0;
    misses += !(payoff > 0);
  }
  void add(const Sums& o) { y.add(o.y), c.add(o.c), r.add(o.r), p.add(o.p), yc += o.yc, hits += o.hits, misses += o.misses; }
  double covariance() const { return yc / y.n - y.s1 / y.n * (c.s1 / c.n); }
  double weight() const { return c.variance() > 0 ? covariance() / c.variance() : 0; }
};

std::string trouble_of(const Sums& s, const Sample& what) {
  if (s.hits == 0) return fmt::format("none of {} paths is paid", s.y.n);
  if (s.y.n < kLeastCarriers) return fmt::format("{} paths are too few to tell an error", s.y.n);
  if (s.hits < kLeastCarriers) return fmt::format("only {} of {} paths are paid", s.hits, s.y.n);
  if (s.misses < kLeastCarriers && what.carriers() == 0) return fmt::format("only {} of {} paths are not paid", s.misses, s.y.n);
  return fmt::format("about {:.0f} of {} paths carry the variance", std::max(1.0, what.carriers()), s.y.n);
}

/// What the known means are, all undiscounted, in units of the strike. `payoff`: of the price that is paid on, NaN where not known.
struct KnownMeans {
  double control, payoff;
  bool geometric;      ///< the control is the geometric payoff, else the spot at the end
  bool same = false;   ///< the control is the payoff itself, so that no residual is left
};

Estimate estimate(const Option& o, const MonteCarlo& how, double rate, const KnownMeans& known, std::int64_t steps, const Simulate& simulate) {
  const double sign = o.call ? 1 : -1, unit = 1 / o.strike;
  // A piece of a block takes well below a second, so that a long simulation can be stopped.
  const std::int64_t piece = std::clamp<std::int64_t>((std::int64_t(1) << 23) / steps / 8 * 8, 8, kBlock);
  std::atomic<bool> stopped = false;
  const auto run = [&](std::int64_t first, std::int64_t last, Sums& s) {
    thread_local PathBlock block;
    for (; first < last && !stopped; first += piece) {
      const std::int64_t n = std::min(piece, last - first);
      simulate(first, (n + 7) / 8 * 8, block);
      for (std::int64_t i = 0; i < n; ++i) {
        const auto at = std::size_t(i);
        const double geometric_mean = known.geometric || o.payoff == Payoff::asian_geometric ? std::exp(block.log_mean[at]) : 0;
        const double price = o.payoff == Payoff::european ? block.terminal[at] : o.payoff == Payoff::asian_arithmetic ? block.mean[at] : geometric_mean;
        const double control = known.geometric ? std::max(0.0, sign * (geometric_mean * unit - 1)) : block.terminal[at] * unit;
        const double x = price * unit - 1;
        s.add(std::max(0.0, sign * x), control, std::max(0.0, -x));
      }
      if (how.interrupted && how.interrupted()) stopped = true;
    }
  };
  // Shifts and the weight that residuals are judged by come from the first paths.
  Sums pilot;
  run(0, std::min(how.paths, piece), pilot);
  Sums empty;
  empty.y.shift = pilot.y.mean(), empty.c.shift = known.control, empty.p.shift = pilot.p.mean();
  empty.pilot_weight = pilot.weight(), empty.r.shift = empty.y.shift - empty.pilot_weight * pilot.c.mean();
  // Blocks are summed in their order, some hundreds at a time: memory does not grow with the paths, nor do bits depend on threads.
  constexpr std::int64_t kChunk = 512;
  const std::int64_t blocks = (how.paths + kBlock - 1) / kBlock;
  std::vector<Sums> sums;
  Sums total = empty;
  for (std::int64_t begin = 0; begin < blocks && !stopped; begin += kChunk) {
    const std::int64_t count = std::min(kChunk, blocks - begin);
    sums.assign(std::size_t(count), empty);
    parallel_for(count, [&](std::int64_t b) { run((begin + b) * kBlock, std::min(how.paths, (begin + b + 1) * kBlock), sums[std::size_t(b)]); });
    for (const Sums& s : sums) total.add(s);
  }
  if (stopped) throw Error(ErrorKind::usage, "run.interrupted", fmt::format("stopped while simulating {} paths", how.paths), "run the same command again");

  const double money = std::exp(-rate * o.years) * o.strike;
  Estimate e;
  e.paths = how.paths;
  e.steps = steps;
  e.raw_value = e.value = money * total.y.mean();
  e.raw_standard_error = e.standard_error = money * total.y.standard_error();
  if (!total.y.carried()) {
    e.raw_trouble = e.trouble = trouble_of(total, total.y);
    e.raw_value = e.raw_standard_error = e.value = e.standard_error = std::numeric_limits<double>::quiet_NaN();
  }
  if (!how.control) return e;
  const bool control_carried = total.c.carried();
  if (control_carried && (known.same ? total.y.carried() : total.r.carried())) {
    const double cov = total.covariance(), vc = total.c.variance();
    e.control = ControlUse::regression;
    e.control_weight = cov / vc;
    e.value = money * (total.y.mean() - e.control_weight * (total.c.mean() - known.control));
    e.standard_error = money * std::sqrt(std::max(0.0, total.y.variance() - cov * cov / vc) / (total.y.n - 2));
    e.trouble.clear();
  } else if (!control_carried && o.call && std::isfinite(known.payoff) && total.p.carried() && total.hits >= kLeastCarriers) {
    e.control = ControlUse::parity;
    e.value = money * (total.p.mean() + known.payoff - 1);
    e.standard_error = money * total.p.standard_error();
    e.trouble.clear();
  }
  return e;
}

/// Mean of the fixings' forwards, in units of the strike.
double mean_forward(const Option& o, double spot, double carry) {
  if (o.payoff == Payoff::european) return spot * std::exp(carry * o.years) / o.strike;
  // (e^{cT} - 1) over the geometric series, without cancellation where c is small
  const double step = carry * o.years / double(o.fixings);
  const double series = step == 0 ? double(o.fixings) : std::exp(step) * std::expm1(carry * o.years) / std::expm1(step);
  return spot * series / double(o.fixings) / o.strike;
}

}  // namespace

void require_valid(const BlackScholes& m, const Option& o) {
  require_option(o, m.spot);
  require_rates(m.rate, m.dividend, o.years);
  if (!(m.volatility >= kLeastVolatility && m.volatility <= kMostVolatility)) refuse(fmt::format("a volatility of {} a year", m.volatility), "give a fraction, 1e-9 to 1000: 0.2 for 20 %");
  if (m.volatility * std::sqrt(o.years) > 20) {
    refuse(fmt::format("a volatility of {} a year over {} years, a deviation of {:.3g} of the logarithm", m.volatility, o.years, m.volatility * std::sqrt(o.years)), "volatility x sqrt(years) is 20 at most");
  }
}

void require_valid(const Heston& m, const Option& o) {
  require_option(o, m.spot);
  require_rates(m.rate, m.dividend, o.years);
  const auto within = [](const char* name, double value, double low, double high) {
    if (!(value >= low && value <= high)) refuse(fmt::format("Heston's {} of {}", name, value), "v0 lies in 0 to 100, kappa and theta in 1e-6 to 10000, sigma in 1e-6 to 1000, rho in -0.9999 to 0.9999");
  };
  within("v0", m.v0, 0, kMostVariance);
  within("kappa", m.kappa, kLeastHeston, kMostKappa);
  within("theta", m.theta, kLeastHeston, kMostVariance);
  within("sigma", m.sigma, kLeastHeston, kMostSigma);
  within("rho", m.rho, -kMostRho, kMostRho);
}

std::int64_t steps_of(const BlackScholes& m, const Option& o, const MonteCarlo& how) {
  require_valid(m, o);
  return steps_for(o, how, 1);
}

std::int64_t steps_of(const Heston& m, const Option& o, const MonteCarlo& how) {
  require_valid(m, o);
  const double a_year = std::max({100.0, 10 * m.kappa, 30 * m.sigma});  // where the bias was measured to vanish in the error of 100,000 paths
  std::int64_t plain = std::int64_t(std::clamp(std::ceil(a_year * o.years), 20.0, 20'000.0));
  if (o.payoff != Payoff::european) {
    const std::int64_t pairs = (plain + 2 * o.fixings - 1) / (2 * o.fixings);  // an even number a fixing, so that the steps can be halved
    plain = o.fixings * std::max<std::int64_t>(1, std::min(2 * pairs, kMostSteps / o.fixings));
  }
  return steps_for(o, how, plain);
}

Estimate simulate_price(const BlackScholes& m, const Option& o, const MonteCarlo& how) {
  const std::int64_t steps = steps_of(m, o, how);
  const PathWants wants{o.payoff != Payoff::european, o.payoff == Payoff::european ? 1 : steps / o.fixings};
  const bool geometric = o.payoff == Payoff::asian_arithmetic;
  const double carry = m.rate - m.dividend, per_strike = std::exp(m.rate * o.years) / o.strike;
  KnownMeans known{geometric ? geometric_asian(m, o).price * per_strike : m.spot * std::exp(carry * o.years) / o.strike, mean_forward(o, m.spot, carry), geometric, geometric && o.fixings == 1};
  if (o.payoff == Payoff::asian_geometric) known.payoff = std::numeric_limits<double>::quiet_NaN();
  return estimate(o, how, m.rate, known, steps, [&](std::int64_t first, std::int64_t n, PathBlock& out) { simulate_block(m, o.years, steps, how.seed, wants, first, n, out); });
}

Estimate simulate_price(const Heston& m, const Option& o, const MonteCarlo& how) {
  const std::int64_t steps = steps_of(m, o, how);
  const PathWants wants{o.payoff != Payoff::european, o.payoff == Payoff::european ? 1 : steps / o.fixings};
  const double carry = m.rate - m.dividend;
  KnownMeans known{m.spot * std::exp(carry * o.years) / o.strike, mean_forward(o, m.spot, carry), false};
  if (o.payoff == Payoff::asian_geometric) known.payoff = std::numeric_limits<double>::quiet_NaN();
  return estimate(o, how, m.rate, known, steps,
                  [&](std::int64_t first, std::int64_t n, PathBlock& out) { simulate_block(m, o.years, steps, how.seed, wants, how.scheme, first, n, out); });
}

}  // namespace tenon::finance
