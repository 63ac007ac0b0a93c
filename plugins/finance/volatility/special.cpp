#include "finance/volatility/special.hpp"

#include <cmath>
#include <limits>
#include <numbers>

namespace tenon::finance {

double digamma_of(double x) {
  double shift = 0;
  for (; x < 12; x += 1) shift -= 1 / x;
  const double y = 1 / (x * x);
  // Bernoulli numbers B_2k / 2k
  return shift + std::log(x) - 0.5 / x -
         y * (1.0 / 12 - y * (1.0 / 120 - y * (1.0 / 252 - y * (1.0 / 240 - y * (1.0 / 132 - y * (691.0 / 32760 - y / 12))))));
}

double trigamma_of(double x) {
  double shift = 0;
  for (; x < 12; x += 1) shift += 1 / (x * x);
  const double y = 1 / (x * x);
  return shift + 1 / x + y / 2 + y / x * (1.0 / 6 - y * (1.0 / 30 - y * (1.0 / 42 - y * (1.0 / 30 - y * (5.0 / 66 - y * (691.0 / 2730 - y * 7 / 6))))));
}

double normal_density(double x) { return std::exp(-0.5 * x * x) * (1 / std::sqrt(2 * std::numbers::pi)); }
double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

double normal_quantile(double p) {
  if (!(p > 0 && p < 1)) return p == 0 ? -std::numeric_limits<double>::infinity() : p == 1 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  static constexpr double a[] = {-3.969683028665376e+01, 2.209460984245205e+02, -2.759285104469687e+02, 1.383577518672690e+02, -3.066479806614716e+01, 2.506628277459239e+00};
  static constexpr double b[] = {-5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02, 6.680131188771972e+01, -1.328068155288572e+01};
  static constexpr double c[] = {-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00, -2.549732539343734e+00, 4.374664141464968e+00, 2.938163982698783e+00};
  static constexpr double d[] = {7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00, 3.754408661907416e+00};
  double x;
  if (p < 0.02425 || p > 1 - 0.02425) {
    const double q = std::sqrt(-2 * std::log(p < 0.5 ? p : 1 - p));
    x = (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) / ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
    if (p > 0.5) x = -x;
  } else {
    const double q = p - 0.5, r = q * q;
    x = (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q / (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
  }
  const double e = normal_cdf(x) - p, u = e / normal_density(x);
  return x - u / (1 + x * u / 2);
}

double incomplete_beta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incomplete_beta(b, a, 1 - x);
  // Lentz's continued fraction (Abramowitz and Stegun 26.5.8)
  const double front = std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x)) / a;
  constexpr double kTiny = 1e-300;
  double c = 1, d = 1 - (a + b) * x / (a + 1);
  d = 1 / (std::abs(d) < kTiny ? kTiny : d);
  double f = d;
  for (int m = 1; m < 500; ++m) {
    const double m2 = 2 * m;
    double t = m * (b - m) * x / ((a + m2 - 1) * (a + m2));
    d = 1 + t * d;
    d = 1 / (std::abs(d) < kTiny ? kTiny : d);
    c = 1 + t / c;
    if (std::abs(c) < kTiny) c = kTiny;
    f *= d * c;
    t = -(a + m) * (a + b + m) * x / ((a + m2) * (a + m2 + 1));
    d = 1 + t * d;
    d = 1 / (std::abs(d) < kTiny ? kTiny : d);
    c = 1 + t / c;
    if (std::abs(c) < kTiny) c = kTiny;
    const double step = d * c;
    f *= step;
    if (std::abs(step - 1) < 1e-16) break;
  }
  return front * f;
}

double unit_t_cdf(double x, double nu) {
  const double t = x * std::sqrt(nu / (nu - 2));
  const double tail = 0.5 * incomplete_beta(nu / 2, 0.5, nu / (nu + t * t));
  return t > 0 ? 1 - tail : tail;
}

double unit_t_quantile(double p, double nu) {
  if (p == 0.5) return 0;
  // The tail below 1/2 by bisection on a bracket that grows, then the sign.
  const double q = p < 0.5 ? p : 1 - p;
  double low = -1, high = 0;
  while (unit_t_cdf(low, nu) > q) low *= 2;
  for (int i = 0; i < 200 && high - low > 1e-15 * std::abs(low); ++i) {
    const double middle = 0.5 * (low + high);
    (unit_t_cdf(middle, nu) < q ? low : high) = middle;
  }
  const double x = 0.5 * (low + high);
  return p < 0.5 ? x : -x;
}

double chi_squared_tail(double x, int n) {
  if (!(x > 0)) return 1;
  if (n == 1) return std::erfc(std::sqrt(x / 2));
  if (n == 2) return std::exp(-x / 2);
  // Recurrence Q(n + 2) = Q(n) + (x/2)^(n/2) exp(-x/2) / gamma(n/2 + 1)
  const double below = chi_squared_tail(x, n - 2);
  return below + std::exp(0.5 * (n - 2) * std::log(x / 2) - x / 2 - std::lgamma(0.5 * (n - 2) + 1));
}

}  // namespace tenon::finance
