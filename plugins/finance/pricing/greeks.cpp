#include "finance/pricing/greeks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "finance/pricing/closed_form.hpp"
#include "finance/pricing/greek_rows.hpp"
#include "finance/pricing/paths.hpp"
#include "tenon/error.hpp"
#include "tenon/kernel.hpp"

namespace tenon::finance {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
using Samples = std::array<Sample, kGreeks>;

/// What each sensitivity is of the order of: smaller values by twelve digits are rounding.
std::array<double, kGreeks> scales(const BlackScholes& m, const Option& o) {
  const double root = std::sqrt(o.years), width = m.volatility * root, price = std::max(m.spot, o.strike);
  std::array<double, kGreeks> out{};
  out[kPrice] = price, out[kDelta] = price / m.spot, out[kGamma] = price / (m.spot * m.spot * width), out[kVega] = price * root;
  out[kRho] = price * o.years, out[kTheta] = price * m.volatility / root, out[kVanna] = out[kVega] / m.spot, out[kVolga] = price * o.years;
  return out;
}

GreekTable table(const Samples& samples, const std::array<double, kGreeks>& scale) {
  GreekTable out;
  for (std::size_t i = 0; i < kGreeks; ++i) {
    const Sample& s = samples[i];
    out[i] = {s.mean(), s.standard_error()};
    const double spread = std::sqrt(s.variance()), size = std::abs(s.mean());
    if (size < 1e-12 * scale[i] && spread < 1e-12 * scale[i]) out[i] = {kNaN, kNaN, "no path reaches the strike"};
    else if (spread > 1e-12 * (size + scale[i]) && !s.carried()) out[i] = {kNaN, kNaN, fmt::format("about {:.0f} of {} paths carry it", std::max(1.0, s.carriers()), s.n)};
    else if (!std::isfinite(out[i].value) || !std::isfinite(out[i].standard_error)) out[i] = {kNaN, kNaN, "beyond the range of numbers"};
  }
  return out;
}

using Rows = std::function<void(std::int64_t first, std::int64_t n, GreekRows& rows)>;

void add_rows(const GreekRows& rows, Samples& to) {
  for (std::size_t i = 0; i < kGreeks; ++i)
    for (double v : rows[i]) to[i].add(v);
}

/// Shifts for sums of their own: means over the first rows.
void set_shifts(const GreekRows& rows, Samples& samples) {
  add_rows(rows, samples);
  for (Sample& s : samples) s = Sample{.shift = s.mean()};
}

/// About a million numbers a tensor, whatever the steps: memory is bounded, and an interrupt is seen soon.
std::int64_t paths_of_block(std::int64_t steps) {
  const std::int64_t fit = std::clamp<std::int64_t>((std::int64_t(1) << 20) / steps, 1, 4096);
  return fit < 8 ? fit : fit / 8 * 8;
}

void require_going_on(const MonteCarlo& how, std::int64_t done) {
  if (how.interrupted && how.interrupted()) throw Error(ErrorKind::usage, "run.interrupted", fmt::format("stopped after {} of {} paths", done, how.paths), "run the same command again");
}

}  // namespace

const char* name_of_greek(int index) noexcept {
  static constexpr const char* kNames[] = {"price", "delta", "gamma", "vega", "rho", "theta", "vanna", "volga"};
  return index >= 0 && index < kGreeks ? kNames[index] : "?";
}

std::int64_t greek_steps(const BlackScholes& m, const Option& o, const MonteCarlo& how) {
  MonteCarlo own = how;
  if (own.steps == 0 && o.payoff == Payoff::european) own.steps = 12;
  return steps_of(m, o, own);
}

GreekComparison compare_greeks(const BlackScholes& m, const Option& o, const MonteCarlo& how, bool pathwise, bool bump) {
  const std::int64_t steps = greek_steps(m, o, how), block = paths_of_block(steps), piece = std::min<std::int64_t>(block, 512);
  Samples of_path, of_bump, of_difference;
  GreekRows path, raw, difference;
  for (std::int64_t first = 0; first < how.paths; first += block) {
    require_going_on(how, first);
    const std::int64_t n = std::min(block, how.paths - first);
    if (pathwise) pathwise_rows(m, o, how.seed, first, n, steps, path);
    require_going_on(how, first);
    if (bump) {
      for (auto& row : raw) row.resize(std::size_t(n));
      parallel_for((n + piece - 1) / piece, [&](std::int64_t b) {
        thread_local GreekRows part;
        const std::int64_t begin = b * piece, count = std::min(piece, n - begin);
        bump_rows(m, o, how.seed, first + begin, count, steps, how.paths, part);
        for (std::size_t i = 0; i < kGreeks; ++i) std::copy(part[i].begin(), part[i].end(), raw[i].begin() + begin);
      });
    }
    if (pathwise && bump) {
      difference = path;
      for (std::size_t i = 0; i < kGreeks; ++i)
        for (std::size_t p = 0; p < difference[i].size(); ++p) difference[i][p] -= raw[i][p];
    }
    if (first == 0) set_shifts(path, of_path), set_shifts(raw, of_bump), set_shifts(difference, of_difference);
    add_rows(path, of_path), add_rows(raw, of_bump), add_rows(difference, of_difference);
  }
  const auto scale = scales(m, o);
  GreekComparison out;
  if (pathwise) out.pathwise = table(of_path, scale);
  if (bump) out.bump = table(of_bump, scale);
  if (pathwise && bump) out.difference = table(of_difference, scale);
  for (std::size_t i = 0; i < kGreeks; ++i) {
    // Without both there is nothing to compare; their own reasons tell more than that of the difference.
    const std::string& why = out.pathwise[i].trouble.empty() ? out.bump[i].trouble : out.pathwise[i].trouble;
    if (!why.empty()) out.difference[i] = {kNaN, kNaN, why};
  }
  return out;
}

GreekTable pathwise_greeks(const BlackScholes& m, const Option& o, const MonteCarlo& how) { return compare_greeks(m, o, how, true, false).pathwise; }

GreekTable bump_greeks(const BlackScholes& m, const Option& o, const MonteCarlo& how) { return compare_greeks(m, o, how, false, true).bump; }

std::array<double, kGreeks> exact_greeks(const BlackScholes& m, const Option& o) {
  std::array<double, kGreeks> out;
  out.fill(kNaN);
  if (o.payoff == Payoff::asian_arithmetic) return out;
  const Greeks g = o.payoff == Payoff::european ? black_scholes(m, o) : geometric_asian(m, o);
  out[kPrice] = g.price, out[kDelta] = g.delta, out[kGamma] = g.gamma, out[kVega] = g.vega, out[kRho] = g.rho, out[kTheta] = g.theta;
  if (o.payoff == Payoff::european) {
    const double deviation = m.volatility * std::sqrt(o.years), d1 = (std::log(m.spot / o.strike) + (m.rate - m.dividend) * o.years) / deviation + 0.5 * deviation, d2 = d1 - deviation;
    out[kVanna] = -g.vega * d2 / (m.spot * deviation);
    out[kVolga] = g.vega * d1 * d2 / m.volatility;
  }
  return out;
}

}  // namespace tenon::finance
