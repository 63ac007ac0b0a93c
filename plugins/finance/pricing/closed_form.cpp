#include "finance/pricing/closed_form.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "finance/volatility/special.hpp"

namespace tenon::finance {
namespace {

/// Nodes and weights of Gauss-Legendre on [-1, 1], by Newton's method on Legendre's polynomial.
struct GaussLegendre {
  static constexpr int kNodes = 32;
  std::array<double, kNodes> x{}, w{};
  GaussLegendre() {
    for (int i = 0; i < kNodes; ++i) {
      double z = std::cos(std::numbers::pi * (i + 0.75) / (kNodes + 0.5)), slope = 0;
      for (int k = 0; k < 100; ++k) {
        double p1 = 1, p2 = 0;
        for (int j = 0; j < kNodes; ++j) {
          const double p3 = p2;
          p2 = p1;
          p1 = ((2 * j + 1) * z * p2 - j * p3) / (j + 1);
        }
        slope = kNodes * (z * p1 - p2) / (z * z - 1);
        const double step = p1 / slope;
        z -= step;
        if (std::abs(step) < 1e-16) break;
      }
      x[std::size_t(i)] = z;
      w[std::size_t(i)] = 2 / ((1 - z * z) * slope * slope);
    }
  }
};

}  // namespace

Greeks black_scholes(const BlackScholes& m, const Option& o) {
  const double sign = o.call ? 1 : -1, root = std::sqrt(o.years), deviation = m.volatility * root;
  const double growth = std::exp(-m.dividend * o.years), discount = std::exp(-m.rate * o.years);
  const double d1 = (std::log(m.spot / o.strike) + (m.rate - m.dividend) * o.years) / deviation + 0.5 * deviation, d2 = d1 - deviation;
  Greeks g;
  g.price = sign * (m.spot * growth * normal_cdf(sign * d1) - o.strike * discount * normal_cdf(sign * d2));
  g.delta = sign * growth * normal_cdf(sign * d1);
  g.gamma = growth * normal_density(d1) / (m.spot * deviation);
  g.vega = m.spot * growth * normal_density(d1) * root;
  g.rho = sign * o.strike * o.years * discount * normal_cdf(sign * d2);
  g.theta = -m.spot * growth * normal_density(d1) * m.volatility / (2 * root) + sign * (m.dividend * m.spot * growth * normal_cdf(sign * d1) - m.rate * o.strike * discount * normal_cdf(sign * d2));
  return g;
}

Greeks geometric_asian(const BlackScholes& m, const Option& o) {
  const auto n = double(o.fixings);
  // ln G is normal with these mean and variance; both are proportional to time.
  const double mean_time = (n + 1) / (2 * n), variance_time = (n + 1) * (2 * n + 1) / (6 * n * n);
  const double sign = o.call ? 1 : -1, T = o.years, v = m.volatility;
  const double drift = (m.rate - m.dividend - 0.5 * v * v) * mean_time + 0.5 * v * v * variance_time;  // ln(E[G] / S) a year
  const double deviation = v * std::sqrt(variance_time * T), forward = m.spot * std::exp(drift * T), discount = std::exp(-m.rate * T);
  const double d1 = std::log(forward / o.strike) / deviation + 0.5 * deviation, d2 = d1 - deviation;
  const double n1 = normal_cdf(sign * d1), n2 = normal_cdf(sign * d2), f = normal_density(d1);
  Greeks g;
  g.price = sign * discount * (forward * n1 - o.strike * n2);
  g.delta = sign * discount * forward * n1 / m.spot;
  g.gamma = discount * forward * f / (m.spot * m.spot * deviation);
  const double d_drift_v = v * (variance_time - mean_time);
  g.vega = discount * forward * (sign * n1 * d_drift_v * T + f * std::sqrt(variance_time * T));
  g.rho = -T * g.price + sign * discount * forward * n1 * mean_time * T;
  g.theta = m.rate * g.price - discount * forward * (sign * n1 * drift + f * deviation / (2 * T));
  return g;
}

std::complex<double> heston_characteristic(const Heston& m, double T, std::complex<double> u) {
  using C = std::complex<double>;
  const C i(0, 1), iu = i * u;
  const C b = m.kappa - m.rho * m.sigma * iu;
  const C d = std::sqrt(b * b + m.sigma * m.sigma * (iu + u * u));
  const C g = (b - d) / (b + d), e = std::exp(-d * T);
  const double s2 = m.sigma * m.sigma;
  const C level = m.kappa * m.theta / s2 * ((b - d) * T - 2.0 * std::log((1.0 - g * e) / (1.0 - g)));
  const C slope = (b - d) / s2 * (1.0 - e) / (1.0 - g * e);
  return std::exp(level + slope * m.v0);
}

double heston_price(const Heston& m, const Option& o) {
  static const GaussLegendre rule;
  const double discount = std::exp(-m.rate * o.years), forward = m.spot * std::exp((m.rate - m.dividend) * o.years);
  const double k = std::log(forward / o.strike);
  const auto integrand = [&](double u) {
    const auto phi = heston_characteristic(m, o.years, {u, -0.5});
    return (std::exp(std::complex<double>(0, u * k)) * phi).real() / (u * u + 0.25);
  };
  // Panels grow with u; the oscillation exp(i u k) bounds them.
  double sum = 0, from = 0, width = std::min(2.0, 4 / (std::abs(k) + 0.5));
  const double widest = std::numbers::pi * 4 / (std::abs(k) + 1e-3);
  for (int panel = 0, quiet = 0; panel < 20000 && quiet < 3; ++panel) {
    double part = 0, size = 0;
    for (std::size_t j = 0; j < rule.x.size(); ++j) {
      const double y = rule.w[j] * integrand(from + 0.5 * width * (rule.x[j] + 1));
      part += y;
      size += std::abs(y);
    }
    sum += 0.5 * width * part;
    quiet = 0.5 * width * size < 1e-17 * (1 + std::abs(sum)) ? quiet + 1 : 0;
    from += width;
    width = std::min(widest, width * 1.2);
  }
  const double call = discount * (forward - std::sqrt(forward * o.strike) / std::numbers::pi * sum);
  return o.call ? call : call - discount * (forward - o.strike);
}

double implied_volatility(double price, const BlackScholes& market, const Option& o) {
  BlackScholes m = market;
  const double discount = std::exp(-m.rate * o.years), forward = m.spot * std::exp((m.rate - m.dividend) * o.years), sign = o.call ? 1 : -1;
  const double least = discount * std::max(0.0, sign * (forward - o.strike)), most = discount * (o.call ? forward : o.strike);
  if (!(price > least && price < most)) return std::numeric_limits<double>::quiet_NaN();
  double low = 1e-8, high = 1;
  for (m.volatility = high; black_scholes(m, o).price < price && high < 1e4;) low = high, m.volatility = high *= 2;
  m.volatility = 0.5 * (low + high);
  // Newton inside a bracket
  for (int i = 0; i < 200; ++i) {
    const Greeks g = black_scholes(m, o);
    (g.price < price ? low : high) = m.volatility;
    double next = m.volatility - (g.price - price) / g.vega;
    if (!(next > low && next < high)) next = 0.5 * (low + high);
    if (std::abs(next - m.volatility) <= 1e-15 * next) break;
    m.volatility = next;
  }
  return m.volatility;
}

}  // namespace tenon::finance
