#include "finance/volatility/special.hpp"

#include <boost/math/distributions/students_t.hpp>
#include <boost/math/special_functions/erf.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <numbers>

namespace tenon::finance {
namespace {

/// Where a function is not defined it is NaN or infinite, as those of <cmath> are: an optimiser may look there.
using boost::math::policies::ignore_error;
using Quiet = boost::math::policies::policy<boost::math::policies::domain_error<ignore_error>, boost::math::policies::pole_error<ignore_error>,
                                            boost::math::policies::overflow_error<ignore_error>, boost::math::policies::evaluation_error<ignore_error>,
                                            boost::math::policies::promote_double<false>>;
constexpr Quiet kQuiet;

/// Of a unit variance to that of Student's t as it is tabulated.
double t_scale(double nu) { return std::isinf(nu) ? 1 : std::sqrt(nu / (nu - 2)); }
boost::math::students_t_distribution<double, Quiet> student(double nu) { return boost::math::students_t_distribution<double, Quiet>(nu); }

}  // namespace

// Asymptotic series from 12 on: a fit's degrees of freedom hang on the last digits of differences of these.
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
double normal_quantile(double p) { return -std::numbers::sqrt2 * boost::math::erfc_inv(2 * p, kQuiet); }

double student_t_cdf(double t, double nu) { return boost::math::cdf(student(nu), t); }
double unit_t_cdf(double x, double nu) { return boost::math::cdf(student(nu), x * t_scale(nu)); }
double unit_t_quantile(double p, double nu) { return boost::math::quantile(student(nu), p) / t_scale(nu); }
double chi_squared_tail(double x, int n) { return x > 0 ? boost::math::gamma_q(0.5 * n, 0.5 * x, kQuiet) : 1; }

}  // namespace tenon::finance
