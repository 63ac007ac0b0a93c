/// The few special functions of volatility models and tests, in double.
#pragma once

namespace tenon::finance {

double digamma_of(double x);   ///< x > 0
double trigamma_of(double x);  ///< x > 0
double normal_density(double x);
double normal_cdf(double x);
/// Inverse of normal_cdf; infinite at 0 and 1, NaN outside.
double normal_quantile(double p);
double student_t_cdf(double t, double nu);  ///< P(T <= t) of Student's t with nu > 0 degrees of freedom
/// Quantile of Student's t with nu > 2 degrees of freedom scaled to unit variance.
double unit_t_quantile(double p, double nu);
double unit_t_cdf(double x, double nu);
/// P(X > x) of chi-squared with n degrees of freedom.
double chi_squared_tail(double x, int n);

}  // namespace tenon::finance
