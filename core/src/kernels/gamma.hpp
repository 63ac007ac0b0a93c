/// The gamma function's logarithm and its derivatives without calls or branches, for loops that compilers vectorise (private; CPU loops
/// only).
///
/// In double, for f32 and (derivatives) f64. Poles, and numbers far to the left, are not their domain: see what_holds.
#pragma once

#include "kernels/maths_f64.hpp"

namespace tenon {

/// sin(pi r) / r of z = r^2, |r| <= 1/2.
TENON_MATHS double sine_of_turn(double z) {
  double p = -2.11229507965805113e-05;
  p = p * z + 4.65977615923036871e-04;
  p = p * z - 7.37036107167206387e-03;
  p = p * z + 8.21458782566350937e-02;
  p = p * z - 5.99264528775727112e-01;
  p = p * z + 2.55016403985977735e+00;
  p = p * z - 5.16771278004975265e+00;
  p = p * z + 3.14159265358979267e+00;
  return p;
}
/// x - n, n the nearest integer: |x| <= 1e6.
TENON_MATHS double from_nearest(double x) {
  return x - ((x + kWhole) - kWhole);
}
/// Where the functions below hold: not at poles, not where the reflection loses digits.
TENON_MATHS bool gamma_domain(double x) {
  return x > -1e5 && x < 1e300 && (x > 0 || from_nearest(x) != 0);
}

/// log |gamma(y)| = (y - 1) (y - 2) P(y - 2), 1 <= y <= 3, to 2^-31 of the result, which vanishes at 1 and 2.
TENON_MATHS double log_gamma_near_two(double y) {
  const double z = y - 2.0;
  double p = 4.87435749122785730e-06;
  p = p * z - 9.67744358704599020e-06;
  p = p * z + 2.24881653871370660e-06;
  p = p * z - 7.28257365810910833e-06;
  p = p * z + 4.37062819474034106e-05;
  p = p * z - 9.17339092958807895e-05;
  p = p * z + 1.79806533027030926e-04;
  p = p * z - 4.01982741035201844e-04;
  p = p * z + 9.16103668131722183e-04;
  p = p * z - 2.10894157867592665e-03;
  p = p * z + 4.99854765573685793e-03;
  p = p * z - 1.23841151236613375e-02;
  p = p * z + 3.29650051757638327e-02;
  p = p * z - 1.00317303781130199e-01;
  p = p * z + 4.22784335062234673e-01;
  return p * z * (y - 1.0);
}
/// Stirling's series for w >= 7, to 1e-12.
TENON_MATHS double log_gamma_series(double w) {
  const double r = 1.0 / w, q = r * r;
  const double series = r * (1.0 / 12 - q * (1.0 / 360 - q * (1.0 / 1260 - q * (1.0 / 1680 - q / 1188))));
  return (w - 0.5) * log_f64(w) - w + (0.91893853320467274178 + series);
}
/// log |gamma(x)|, good to the digits of f32 where it is not near one of its zeros left of 0: reflected from the left half of the line,
/// carried up to where a polynomial or the series holds.
TENON_MATHS double log_gamma_f32(double x) {
  const bool mirrored = x < 0.5;
  const double y = mirrored ? 1.0 - x : x;
  const bool near = y < 3.0, below = y < 1.0;
  const double four = y * (y + 3.0), steps = four * (four + 2.0);  // y (y + 1) (y + 2) (y + 3)
  const double carried = near ? (below ? y : 1.0) : y < 7.0 ? steps : 1.0;
  const double far = log_gamma_series(y < 7.0 ? y + 4.0 : y), close = log_gamma_near_two(below ? y + 1.0 : y);
  const double value = near ? close : far;
  // gamma(x) gamma(1 - x) = pi / sin(pi x)
  const double r = from_nearest(x), sine = __builtin_fabs(r) * sine_of_turn(r * r);
  const double quotient = sine / (3.14159265358979323846 * carried);
  return (mirrored ? -value : value) + (0.0 - log_f64(mirrored ? quotient : carried));  // 0 at 1, not -0
}

/// pi cot(pi x)
TENON_MATHS double cotangent_of_turn(double x) {
  const double r = from_nearest(x), c = 0.5 - __builtin_fabs(r);
  return 3.14159265358979323846 * (c * sine_of_turn(c * c)) / (r * sine_of_turn(r * r));
}
/// The derivative of log gamma, with polygamma_of's series from 10 on.
TENON_MATHS double digamma_f64(double x) {
  const bool mirrored = x < 0.5;
  const double y = mirrored ? 1.0 - x : x;
  const bool low = y < 10.0;
  // the sum of 1 / (y + k), k = 0 .. 9, in pairs: (2 y + 9) / (q + k (9 - k)), q = y (y + 9)
  const double q = y * (y + 9.0);
  double sum = 1.0, product = q;
  for (int k = 1; k < 5; ++k) {
    const double t = q + k * (9 - k);
    sum = sum * t + product;
    product = product * t;
  }
  const double carried = low ? (2.0 * y + 9.0) * sum / product : 0.0;
  const double w = low ? y + 10.0 : y, r = 1.0 / w, z = r * r;
  const double series =
      0.5 * r + z * (1.0 / 12 - z * (1.0 / 120 - z * (1.0 / 252 - z * (1.0 / 240 - z * (1.0 / 132 - z * (691.0 / 32760 - z / 12))))));
  return (mirrored ? -cotangent_of_turn(x) : 0.0) + (log_f64(w) - (series + carried));
}
/// The second derivative of log gamma.
TENON_MATHS double trigamma_f64(double x) {
  const bool mirrored = x < 0.5;
  const double y = mirrored ? 1.0 - x : x;
  const bool low = y < 10.0;
  double sum = 0.0, product = 1.0;
  for (int k = 0; k < 10; ++k) {
    const double t = (y + k) * (y + k);
    sum = sum * t + product;
    product = product * t;
  }
  const double w = low ? y + 10.0 : y, r = 1.0 / w, z = r * r;
  const double series =
      r + 0.5 * z + r * z * (1.0 / 6 - z * (1.0 / 30 - z * (1.0 / 42 - z * (1.0 / 30 - z * (5.0 / 66 - z * (691.0 / 2730 - z * 7 / 6))))));
  const double value = (low ? sum / product : 0.0) + series, from = from_nearest(x), s = from * sine_of_turn(from * from);
  return mirrored ? 9.86960440108935861883 / (s * s) - value : value;
}

}  // namespace tenon
