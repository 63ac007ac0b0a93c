/// Each path's own derivatives, through the core's autograd (private: greeks.hpp is the way in).
#include <cmath>
#include <numbers>

#include "finance/pricing/greek_rows.hpp"
#include "tenon/autograd.hpp"
#include "tenon/cumulative.hpp"
#include "tenon/kernel.hpp"
#include "tenon/ops.hpp"

namespace tenon::finance {
namespace {

Tensor normal_cdf(const Tensor& x) { return 0.5 * (erf(x * (1 / std::numbers::sqrt2)) + 1.0); }

/// E[max(w (X - K), 0)] of a lognormal X of mean `forward` whose logarithm has deviation `deviation`.
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

/// European: the discounted value given the first steps / 2 normals, the rest of the way integrated. [P, 1]
Tensor european_values(const Leaves& l, const BlackScholes& m, const Option& o, const std::vector<double>& z, std::int64_t paths, std::int64_t steps) {
  const std::int64_t before = steps / 2;
  const double known = double(before) / double(steps), rest = 1 - known;
  Tensor x = log(l.spot);
  if (before) {
    const Tensor seen = sum(Tensor::from(z, {paths, steps}).narrow(1, 0, before), {1}, true);
    x = x + (l.rate - m.dividend - 0.5 * square(l.volatility)) * l.years * known + l.volatility * sqrt(l.years) * (seen * (1 / std::sqrt(double(steps))));
  }
  const Tensor strike = Tensor::full({paths, 1}, o.strike, DType::f64);
  return exp(neg(l.rate * l.years)) * lognormal_payoff(exp(x + (l.rate - m.dividend) * l.years * rest), strike, l.volatility * sqrt(l.years * rest), o.call ? 1 : -1);
}

/// At the fixings, in units of sqrt(years): the Brownian bridge of each path from 0 to 0, [P, F].
Tensor bridges(const std::vector<double>& z, std::int64_t paths, std::int64_t steps, std::int64_t fixings) {
  const std::int64_t stride = steps / fixings;
  const double root = 1 / std::sqrt(double(steps));
  std::vector<double> out(std::size_t(paths * fixings));
  parallel_blocks(paths, 64, [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t p = from; p < to; ++p) {
      const double* row = z.data() + p * steps;
      double* bridge = out.data() + p * fixings;
      double walk = 0;
      for (std::int64_t s = 1; s <= steps; ++s) {
        walk += row[s - 1];
        if (s % stride == 0) bridge[s / stride - 1] = walk;
      }
      for (std::int64_t f = 0; f < fixings; ++f) bridge[f] = root * (bridge[f] - walk * (double(f + 1) / double(fixings)));
    }
  });
  return Tensor::from(out, {paths, fixings});
}

/// w with mean over fixings of exp(x + d w) = K, [P, 1]: Newton on the logarithm of the mean, which is convex and rises in w (d > 0).
Tensor roots(const Tensor& x, const Tensor& d, double strike) {
  const std::int64_t paths = x.size(0), fixings = x.size(1);
  const Tensor dense_x = x.contiguous(), dense_d = d.contiguous();
  const auto xs = dense_x.span<double>(), ds = dense_d.span<double>();
  std::vector<double> out(std::size_t(paths), 0.0);
  const double target = std::log(strike);
  parallel_blocks(paths, 64, [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t p = from; p < to; ++p) {
      const double *row = xs.data() + p * fixings, *slope = ds.data() + p * fixings;
      double w = 0;
      for (int turn = 0; turn < 100; ++turn) {
        double top = -1e308, mean = 0, rise = 0;
        for (std::int64_t f = 0; f < fixings; ++f) top = std::max(top, row[f] + slope[f] * w);
        for (std::int64_t f = 0; f < fixings; ++f) {
          const double e = std::exp(row[f] + slope[f] * w - top);
          mean += e;
          rise += e * slope[f];
        }
        const double step = (top + std::log(mean / double(fixings)) - target) * mean / rise;
        w -= step;
        if (std::abs(step) <= 1e-13 * (1 + std::abs(w))) break;
      }
      out[std::size_t(p)] = w;
    }
  });
  return Tensor::from(out, {paths, 1});
}

/// Asian: the discounted value given the bridge between today and expiry, the terminal normal w integrated. [P, 1]
/// Every fixing moves with w, however many there are, so that the mean is smoothed over most of its own width.
Tensor asian_values(const Leaves& l, const BlackScholes& m, const Option& o, const std::vector<double>& z, std::int64_t paths, std::int64_t steps) {
  const double sign = o.call ? 1 : -1;
  std::vector<double> times;  // as fractions of the whole
  for (std::int64_t f = 1; f <= o.fixings; ++f) times.push_back(double(f) / double(o.fixings));
  const Tensor tau = Tensor::from(times, {1, o.fixings}), discount = exp(neg(l.rate * l.years)), deviation = l.volatility * sqrt(l.years);
  const Tensor x = log(l.spot) + (l.rate - m.dividend - 0.5 * square(l.volatility)) * l.years * tau + deviation * bridges(z, paths, steps, o.fixings);
  const Tensor d = deviation * tau;
  if (o.payoff == Payoff::asian_geometric) {
    const Tensor s = mean(d, {1}, true);
    return discount * lognormal_payoff(exp(mean(x, {1}, true) + 0.5 * square(s)), Tensor::full({paths, 1}, o.strike, DType::f64), s, sign);
  }
  // The mean passes K at the root w. Its derivatives come from one step of Newton's method at the root: the value is flat in w there
  // (the payoff is 0), so the first derivative of w is all that the value's second order needs.
  const Tensor at = roots(x.detach(), d.detach(), o.strike), e = exp(x + d * at);
  const Tensor w = at - (mean(e, {1}, true) - o.strike) / mean(e * d, {1}, true);
  return discount * sign * (mean(exp(x + 0.5 * square(d)) * normal_cdf(sign * (d - w)), {1}, true) - o.strike * normal_cdf(neg(sign * w)));
}

}  // namespace

void pathwise_rows(const BlackScholes& m, const Option& o, std::uint64_t seed, std::int64_t first, std::int64_t n, std::int64_t steps, GreekRows& rows) {
  std::vector<double> z;
  if (steps > 1) {
    z.resize(std::size_t(n * steps));
    parallel_blocks(n, 256, [&](std::int64_t from, std::int64_t to) { path_normals(seed, first + from, to - from, steps, z.data() + from * steps); });
  } else {
    z.assign(std::size_t(n), 0.0);
  }
  const Leaves l(m, o, n);
  const Tensor value = o.payoff == Payoff::european ? european_values(l, m, o, z, n, steps) : asian_values(l, m, o, z, n, steps);
  const auto first_order = gradients({sum(value)}, {l.spot, l.volatility, l.rate, l.years}, {}, true);
  const auto of_delta = gradients({sum(first_order[0])}, {l.spot, l.volatility}, {}, true);
  const auto of_vega = gradients({sum(first_order[1])}, {l.volatility}, {}, false);
  const std::pair<int, Tensor> of[] = {{kPrice, value}, {kDelta, first_order[0]}, {kGamma, of_delta[0]}, {kVega, first_order[1]}, {kRho, first_order[2]}, {kTheta, first_order[3]}, {kVanna, of_delta[1]}, {kVolga, of_vega[0]}};
  for (const auto& [greek, tensor] : of) {
    const Tensor dense = tensor.detach().contiguous();
    const auto span = dense.span<double>();
    auto& row = rows[std::size_t(greek)];
    row.assign(span.begin(), span.end());
    if (greek == kTheta)
      for (double& v : row) v = -v;
  }
}

}  // namespace tenon::finance
