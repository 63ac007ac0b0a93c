#include "finance/pricing/monte_carlo.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "finance/pricing/closed_form.hpp"
#include "finance/pricing/paths.hpp"
#include "tenon/error.hpp"
#include "tenon/kernel.hpp"

namespace tenon::finance {
namespace {

constexpr std::int64_t kBlock = 4096;  // paths

/// Sums of payoff y and control c about fixed shifts, which keep the squares from cancelling.
struct Sums {
  double y = 0, yy = 0, c = 0, cc = 0, yc = 0;
  void add(double payoff, double control) {
    y += payoff;
    yy += payoff * payoff;
    c += control;
    cc += control * control;
    yc += payoff * control;
  }
  void add(const Sums& o) { y += o.y, yy += o.yy, c += o.c, cc += o.cc, yc += o.yc; }
};

[[noreturn]] void refuse(const std::string& what, const char* hint) { throw Error(ErrorKind::usage, "finance.option", what, hint); }

void require_option(const Option& o, double spot) {
  if (!(spot > 0) || !std::isfinite(spot)) refuse(fmt::format("a spot of {}", spot), "it is positive");
  if (!(o.strike > 0) || !std::isfinite(o.strike)) refuse(fmt::format("a strike of {}", o.strike), "it is positive");
  if (!(o.years > 0) || !std::isfinite(o.years)) refuse(fmt::format("an option of {} years", o.years), "give the time to expiry in years, above 0");
  if (o.payoff != Payoff::european && o.fixings < 1) refuse(fmt::format("an Asian option with {} fixings", o.fixings), "give at least one (--fixings)");
}

std::int64_t steps_for(const Option& o, const MonteCarlo& how, std::int64_t plain) {
  if (how.paths < 2 || how.paths > (std::int64_t(1) << 40)) refuse(fmt::format("{} paths", how.paths), "give 2 to 2^40 (--paths)");
  std::int64_t steps = how.steps;
  if (steps == 0) steps = o.payoff == Payoff::european ? plain : o.fixings * std::max<std::int64_t>(1, plain / o.fixings);
  if (steps < 1 || steps > 1'000'000) refuse(fmt::format("{} steps", steps), "give 1 to 1,000,000 (--steps)");
  if (o.payoff != Payoff::european && steps % o.fixings) refuse(fmt::format("{} steps for {} fixings", steps, o.fixings), "steps are a multiple of the fixings, so that each falls on one");
  return steps;
}

using Simulate = std::function<void(std::int64_t first, std::int64_t n, PathBlock& out)>;

/// `control_mean`: the known mean of the discounted control; the geometric payoff where `geometric`, else the spot at the end.
Estimate estimate(const Option& o, const MonteCarlo& how, double rate, bool geometric, double control_mean, std::int64_t steps, const Simulate& simulate) {
  const std::int64_t blocks = (how.paths + kBlock - 1) / kBlock;
  const double sign = o.call ? 1 : -1, discount = std::exp(-rate * o.years), shift = control_mean / discount;
  std::vector<Sums> sums(std::size_t(blocks), Sums{});
  parallel_for(blocks, [&](std::int64_t b) {
    thread_local PathBlock block;
    const std::int64_t first = b * kBlock, n = std::min(kBlock, how.paths - first);
    simulate(first, (n + 7) / 8 * 8, block);
    Sums s;
    for (std::int64_t i = 0; i < n; ++i) {
      const auto p = std::size_t(i);
      const double geometric_mean = geometric || o.payoff == Payoff::asian_geometric ? std::exp(block.log_mean[p]) : 0;
      const double price = o.payoff == Payoff::european ? block.terminal[p] : o.payoff == Payoff::asian_arithmetic ? block.mean[p] : geometric_mean;
      const double control = geometric ? std::max(0.0, sign * (geometric_mean - o.strike)) : block.terminal[p];
      s.add(std::max(0.0, sign * (price - o.strike)), control - shift);
    }
    sums[std::size_t(b)] = s;
  });
  Sums total;
  for (const Sums& s : sums) total.add(s);
  const double n = double(how.paths);
  const double my = total.y / n, mc = total.c / n, vy = std::max(0.0, total.yy / n - my * my), vc = std::max(0.0, total.cc / n - mc * mc), cov = total.yc / n - my * mc;
  Estimate e;
  e.paths = how.paths;
  e.steps = steps;
  e.raw_value = discount * my;
  e.raw_standard_error = discount * std::sqrt(vy / (n - 1));
  e.value = e.raw_value;
  e.standard_error = e.raw_standard_error;
  if (how.control && vc > 0) {
    e.control_weight = cov / vc;
    e.value = discount * (my - e.control_weight * mc);
    e.standard_error = discount * std::sqrt(std::max(0.0, vy - cov * cov / vc) / (n - 1));
  }
  return e;
}

}  // namespace

void require_valid(const BlackScholes& m, const Option& o) {
  require_option(o, m.spot);
  if (!(m.volatility > 0) || !std::isfinite(m.volatility) || m.volatility * std::sqrt(o.years) > 20) refuse(fmt::format("a volatility of {} a year", m.volatility), "give a fraction above 0: 0.2 for 20 %");
  if (!(std::abs(m.rate) < 10 && std::abs(m.dividend) < 10)) refuse(fmt::format("a rate of {} and a dividend yield of {}", m.rate, m.dividend), "give fractions: 0.05 for 5 %");
}

void require_valid(const Heston& m, const Option& o) {
  require_option(o, m.spot);
  if (!(m.v0 >= 0 && m.kappa > 0 && m.theta > 0 && m.sigma > 0 && m.rho > -1 && m.rho < 1) || !(std::isfinite(m.v0 + m.kappa + m.theta + m.sigma))) {
    refuse(fmt::format("Heston's parameters v0 {}, kappa {}, theta {}, sigma {}, rho {}", m.v0, m.kappa, m.theta, m.sigma, m.rho), "v0 is 0 or more, kappa, theta and sigma are positive, rho lies in (-1, 1)");
  }
  if (!(std::abs(m.rate) < 10 && std::abs(m.dividend) < 10)) refuse(fmt::format("a rate of {} and a dividend yield of {}", m.rate, m.dividend), "give fractions: 0.05 for 5 %");
}

std::int64_t steps_of(const BlackScholes& m, const Option& o, const MonteCarlo& how) {
  require_valid(m, o);
  return steps_for(o, how, 1);
}

std::int64_t steps_of(const Heston& m, const Option& o, const MonteCarlo& how) {
  require_valid(m, o);
  return steps_for(o, how, std::clamp<std::int64_t>(std::int64_t(std::ceil(100 * o.years)), 20, 100'000));
}

Estimate simulate_price(const BlackScholes& m, const Option& o, const MonteCarlo& how) {
  const std::int64_t steps = steps_of(m, o, how);
  const PathWants wants{o.payoff != Payoff::european, o.payoff == Payoff::european ? 1 : steps / o.fixings};
  const bool geometric = o.payoff == Payoff::asian_arithmetic;
  const double control = geometric ? geometric_asian(m, o).price : m.spot * std::exp(-m.dividend * o.years);
  return estimate(o, how, m.rate, geometric, control, steps, [&](std::int64_t first, std::int64_t n, PathBlock& out) { simulate_block(m, o.years, steps, how.seed, wants, first, n, out); });
}

Estimate simulate_price(const Heston& m, const Option& o, const MonteCarlo& how) {
  const std::int64_t steps = steps_of(m, o, how);
  const PathWants wants{o.payoff != Payoff::european, o.payoff == Payoff::european ? 1 : steps / o.fixings};
  return estimate(o, how, m.rate, false, m.spot * std::exp(-m.dividend * o.years), steps,
                  [&](std::int64_t first, std::int64_t n, PathBlock& out) { simulate_block(m, o.years, steps, how.seed, wants, how.scheme, first, n, out); });
}

}  // namespace tenon::finance
