#include "finance/pricing/greeks.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "finance/pricing/closed_form.hpp"
#include "finance/pricing/paths.hpp"
#include "tenon/autograd.hpp"
#include "tenon/cumulative.hpp"
#include "tenon/kernel.hpp"
#include "tenon/ops.hpp"

namespace tenon::finance {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kBlock = 4096;

struct Moments {
  std::array<double, kGreeks> sum{}, squares{};
  void add(int greek, double v) {
    sum[std::size_t(greek)] += v;
    squares[std::size_t(greek)] += v * v;
  }
  GreekTable table(std::int64_t paths) const {
    GreekTable out;
    const double n = double(paths);
    for (std::size_t i = 0; i < kGreeks; ++i) {
      const double mean = sum[i] / n;
      out[i] = {mean, std::sqrt(std::max(0.0, squares[i] / n - mean * mean) / (n - 1))};
    }
    return out;
  }
};

Tensor normal_cdf(const Tensor& x) { return 0.5 * (erf(x * (1 / std::numbers::sqrt2)) + 1.0); }

/// E[max(w (X - K), 0)] of a lognormal X of mean `forward` whose logarithm has deviation `deviation`; K may be a tensor, positive.
Tensor lognormal_payoff(const Tensor& forward, const Tensor& strike, const Tensor& deviation, double sign) {
  const Tensor d1 = log(forward / strike) / deviation + 0.5 * deviation, d2 = d1 - deviation;
  return sign * (forward * normal_cdf(sign * d1) - strike * normal_cdf(sign * d2));
}

/// Leaves of a block of paths, [P, 1] each: derivatives with respect to them are those of each path.
struct Leaves {
  Tensor spot, volatility, rate, years;
  Leaves(const BlackScholes& m, const Option& o, std::int64_t paths) {
    const auto leaf = [paths](double v) {
      Tensor t = Tensor::full({paths, 1}, v, DType::f64);
      t.set_requires_grad();
      return t;
    };
    spot = leaf(m.spot), volatility = leaf(m.volatility), rate = leaf(m.rate), years = leaf(o.years);
  }
};

/// The discounted value of each path given its first steps - 1 normals, the last step integrated: [P, 1].
Tensor path_values(const Leaves& l, const BlackScholes& m, const Option& o, const Tensor& normals, std::int64_t paths, std::int64_t steps) {
  const double sign = o.call ? 1 : -1, n = double(steps);
  const Tensor dt = l.years * (1 / n), drift = (l.rate - m.dividend - 0.5 * square(l.volatility)) * dt, deviation = l.volatility * sqrt(dt);
  const Tensor carry = (l.rate - m.dividend) * dt, discount = exp(neg(l.rate * l.years)), start = log(l.spot);
  const Tensor strike = Tensor::full({paths, 1}, o.strike, DType::f64);
  const std::int64_t before = steps - 1;
  if (o.payoff == Payoff::european) {
    Tensor x = start;
    if (before) x = x + drift * double(before) + deviation * sum(normals, {1}, true);
    return discount * lognormal_payoff(exp(x + carry), strike, deviation, sign);
  }
  const std::int64_t stride = steps / o.fixings, fixings = o.fixings;
  Tensor x_last = start, at_fixings;  // ln S before the last step; at the fixings that are known then, [P, fixings - 1]
  if (before) {
    const Tensor walk = cumsum(normals, 1);
    std::vector<double> number;
    for (std::int64_t i = 1; i <= before; ++i) number.push_back(double(i));
    const Tensor x = start + drift * Tensor::from(number, {1, before}) + deviation * walk;
    x_last = x.narrow(1, before - 1, 1);
    if (fixings > 1) {
      std::vector<Tensor> parts;
      if (stride == 1) at_fixings = x;
      else {
        for (std::int64_t i = 1; i < fixings; ++i) parts.push_back(x.narrow(1, i * stride - 1, 1));
        at_fixings = concat(parts, 1);
      }
    }
  }
  const double share = 1 / double(fixings);
  if (o.payoff == Payoff::asian_geometric) {
    // ln G = (known + x_last + drift + deviation z) / fixings
    Tensor centre = x_last + drift;
    if (at_fixings.defined()) centre = centre + sum(at_fixings, {1}, true);
    const Tensor s = deviation * share;
    return discount * lognormal_payoff(exp(centre * share + 0.5 * square(s)), strike, s, sign);
  }
  // The mean exceeds K where the last fixing exceeds fixings K - known; it always does where that is not positive.
  const Tensor forward = exp(x_last + carry);
  Tensor rest = strike * double(fixings);
  if (at_fixings.defined()) rest = rest - sum(exp(at_fixings), {1}, true);
  const Tensor open = greater(rest, Tensor::full({1, 1}, 1e-12 * o.strike, DType::f64));
  const Tensor safe = where(open, rest, strike);
  const Tensor sure = o.call ? forward - rest : Tensor::zeros({paths, 1}, DType::f64);
  return discount * share * where(open, lognormal_payoff(forward, safe, deviation, sign), sure);
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

GreekTable pathwise_greeks(const BlackScholes& m, const Option& o, const MonteCarlo& how) {
  const std::int64_t steps = greek_steps(m, o, how), before = steps - 1;
  Moments moments;
  std::vector<double> z;
  for (std::int64_t first = 0; first < how.paths; first += kBlock) {
    const std::int64_t n = std::min(kBlock, how.paths - first);
    Tensor normals;
    if (before) {
      // All steps are drawn and the last is left out, so that the paths are those of simulate_price.
      z.resize(std::size_t(n * steps));
      parallel_blocks(n, 256, [&](std::int64_t from, std::int64_t to) { path_normals(how.seed, first + from, to - from, steps, z.data() + from * steps); });
      normals = Tensor::from(z, {n, steps}).narrow(1, 0, before).contiguous();
    }
    const Leaves l(m, o, n);
    const Tensor value = path_values(l, m, o, normals, n, steps);
    const auto first_order = gradients({sum(value)}, {l.spot, l.volatility, l.rate, l.years}, {}, true);
    const auto of_delta = gradients({sum(first_order[0])}, {l.spot, l.volatility}, {}, true);
    const auto of_vega = gradients({sum(first_order[1])}, {l.volatility}, {}, false);
    const std::pair<int, Tensor> rows[] = {{kPrice, value.detach()}, {kDelta, first_order[0].detach()}, {kGamma, of_delta[0].detach()}, {kVega, first_order[1].detach()}, {kRho, first_order[2].detach()},
                                           {kTheta, first_order[3].detach()}, {kVanna, of_delta[1].detach()}, {kVolga, of_vega[0]}};
    for (const auto& [greek, tensor] : rows) {
      const Tensor dense = tensor.contiguous();
      for (double v : dense.span<double>()) moments.add(greek, greek == kTheta ? -v : v);
    }
  }
  return moments.table(how.paths);
}

GreekTable bump_greeks(const BlackScholes& m, const Option& o, const MonteCarlo& how) {
  const std::int64_t steps = greek_steps(m, o, how);
  const double hs = 0.01 * m.spot, hv = 0.01 * m.volatility, hr = 1e-4, ht = 0.01 * o.years, sign = o.call ? 1 : -1;
  struct Scenario {
    BlackScholes model;
    double years;
  };
  std::vector<Scenario> scenarios;
  const auto add = [&](double ds, double dv, double dr, double dt) {
    scenarios.push_back({{m.spot + ds, m.rate + dr, m.dividend, m.volatility + dv}, o.years + dt});
  };
  add(0, 0, 0, 0);
  add(hs, 0, 0, 0), add(-hs, 0, 0, 0);
  add(0, hv, 0, 0), add(0, -hv, 0, 0);
  add(0, 0, hr, 0), add(0, 0, -hr, 0);
  add(0, 0, 0, ht), add(0, 0, 0, -ht);
  add(hs, hv, 0, 0), add(hs, -hv, 0, 0), add(-hs, hv, 0, 0), add(-hs, -hv, 0, 0);
  const PathWants wants{o.payoff != Payoff::european, o.payoff == Payoff::european ? 1 : steps / o.fixings};
  const std::int64_t blocks = (how.paths + kBlock - 1) / kBlock;
  std::vector<Moments> parts(std::size_t(blocks), Moments{});
  parallel_for(blocks, [&](std::int64_t b) {
    const std::int64_t first = b * kBlock, n = std::min(kBlock, how.paths - first);
    std::vector<std::vector<double>> y(scenarios.size(), std::vector<double>(std::size_t(n)));
    PathBlock block;
    for (std::size_t s = 0; s < scenarios.size(); ++s) {
      simulate_block(scenarios[s].model, scenarios[s].years, steps, how.seed, wants, first, (n + 7) / 8 * 8, block);
      const double discount = std::exp(-scenarios[s].model.rate * scenarios[s].years);
      for (std::size_t p = 0; p < std::size_t(n); ++p) {
        const double x = o.payoff == Payoff::european ? block.terminal[p] : o.payoff == Payoff::asian_arithmetic ? block.mean[p] : std::exp(block.log_mean[p]);
        y[s][p] = discount * std::max(0.0, sign * (x - o.strike));
      }
    }
    Moments& out = parts[std::size_t(b)];
    for (std::size_t p = 0; p < std::size_t(n); ++p) {
      out.add(kPrice, y[0][p]);
      out.add(kDelta, (y[1][p] - y[2][p]) / (2 * hs));
      out.add(kGamma, (y[1][p] - 2 * y[0][p] + y[2][p]) / (hs * hs));
      out.add(kVega, (y[3][p] - y[4][p]) / (2 * hv));
      out.add(kVolga, (y[3][p] - 2 * y[0][p] + y[4][p]) / (hv * hv));
      out.add(kRho, (y[5][p] - y[6][p]) / (2 * hr));
      out.add(kTheta, -(y[7][p] - y[8][p]) / (2 * ht));
      out.add(kVanna, (y[9][p] - y[10][p] - y[11][p] + y[12][p]) / (4 * hs * hv));
    }
  });
  Moments total;
  for (const Moments& part : parts)
    for (std::size_t i = 0; i < kGreeks; ++i) total.sum[i] += part.sum[i], total.squares[i] += part.squares[i];
  return total.table(how.paths);
}

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
