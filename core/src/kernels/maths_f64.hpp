/// Functions of f64 without calls or branches, for loops that compilers vectorise (private; CPU loops only).
///
/// Polynomials are fitted to equal relative error, below 2^-53 of the result. Errors against long double, at most 2.5 ulp:
/// tests/core/ops/isa_maths_test.cpp. NaN stays, infinities go where they should, zeros keep their sign but where it is said.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/angles.hpp"
#include "kernels/softmax.hpp"

namespace tenon {

inline constexpr double kWhole = 6755399441055744.0;  ///< 1.5 2^52: adding it leaves the nearest integer in the low bits
inline constexpr double kLog2High = 6.93147180369123816490e-01, kLog2Low = 1.90821492927058770002e-10;  ///< the first exact times 2^20

/// 2^n of shifted = kWhole + n, -1023 < n < 1024.
TENON_MATHS double power_of_two(double shifted) {
  return std::bit_cast<double>((std::bit_cast<std::uint64_t>(shifted) + 1023) << 52);
}

/// e^x = 2^n (1 + rest), shifted = kWhole + n, for |x| <= 750. Of a number or of a vector of them.
template <class V>
struct ExpPartsF64 {
  V rest, shifted;
};
/// Of x + low, |low| tiny.
template <class V>
TENON_MATHS ExpPartsF64<V> exp_parts(const V& x, const V& low = V{}) {
  const V shifted = x * 1.44269504088896338700 + kWhole, n = shifted - kWhole;
  const V r = (x - n * kLog2High) - (n * kLog2Low - low);
  V p = r * 2.09267678560933133e-09 + 2.51122859727239628e-08;
  p = p * r + 2.75572339829406655e-07;
  p = p * r + 2.75572341082761063e-06;
  p = p * r + 2.48015873729333272e-05;
  p = p * r + 1.98412698971831502e-04;
  p = p * r + 1.38888888888589004e-03;
  p = p * r + 8.33333333331669028e-03;
  p = p * r + 4.16666666666667268e-02;
  p = p * r + 1.66666666666666852e-01;
  p = p * r + 0.5;
  return {p * (r * r) + r, shifted};
}

TENON_MATHS double exp_f64(double x, double low = 0) {
  x = x < -746.0 ? -746.0 : x;  // below the smallest subnormal
  x = x > 710.0 ? 710.0 : x;    // above the largest finite result
  const ExpPartsF64<double> e = exp_parts(x, low);
  // 2^n as two factors, so that neither leaves the normal range
  const double n = e.shifted - kWhole, half = n * 0.5 + kWhole;
  return (e.rest + 1.0) * power_of_two(half) * power_of_two(n - (half - kWhole) + kWhole);
}

/// 2^n (e^r - 1) + (2^n - 1): nothing cancels near 0.
TENON_MATHS double expm1_f64(double x) {
  double y = x < -40.0 ? -40.0 : x;  // there the result is -1 to the last bit
  y = y > 710.0 ? 710.0 : y;
  const ExpPartsF64<double> e = exp_parts(y);
  const double half = power_of_two(e.shifted - 1.0);  // half of 2^n, which may lie above the largest number
  const double result = 2.0 * (half * e.rest + (half - 0.5));
  return __builtin_fabs(x) < 1e-300 ? x : result;
}

/// log(1 + f) + n log(2), 1 + f in [sqrt(1/2), sqrt(2)): log(1 + f) = 2 atanh(s) = 2 s + s r, where 2 s = f - f^2 / 2 + s f^2 / 2.
TENON_MATHS double log_of_parts(double f, double n) {
  const double s = f / (2.0 + f), z = s * s, h = 0.5 * f * f;
  double r = 1.47974201959797935e-01;
  r = r * z + 1.53139147701984474e-01;
  r = r * z + 1.81835691686650036e-01;
  r = r * z + 2.22221984894667046e-01;
  r = r * z + 2.85714287431071745e-01;
  r = r * z + 3.99999999994118838e-01;
  r = r * z + 6.66666666666673513e-01;
  return n * kLog2High + (f - (h - (s * (h + r * z) + n * kLog2Low)));
}

/// x = 2^(biased - 1023) m, m in [sqrt(1/2), sqrt(2)), for positive normal x.
struct LogPartsF64 {
  double m;
  std::uint64_t biased;
  TENON_MATHS double exponent() const { return std::bit_cast<double>(biased | 0x4330000000000000u) - (4503599627370496.0 + 1023.0); }
};
TENON_MATHS LogPartsF64 log_parts(double x) {
  constexpr std::uint64_t kRootHalf = 0x3fe6a09e667f3bcdu, kOne = 0x3ff0000000000000u;
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(x), biased = (bits - kRootHalf + kOne) >> 52;
  return {std::bit_cast<double>(bits - (biased << 52) + kOne), biased};
}

/// For positive normal x.
TENON_MATHS double log_f64(double x) {
  const LogPartsF64 p = log_parts(x);
  return log_of_parts(p.m - 1.0, p.exponent());
}

/// A number as a sum, the second part below the first's last digit.
struct PairF64 {
  double high, low;
};
/// |a| >= |b|, or a = 0 = b.
TENON_MATHS PairF64 sum_of(double a, double b) {
  const double high = a + b;
  return {high, b - (high - a)};
}
TENON_MATHS PairF64 product_of(PairF64 a, PairF64 b) {
  const double high = a.high * b.high;
  return {high, (__builtin_fma(a.high, b.high, -high) + a.high * b.low) + a.low * b.high};
}
/// The logarithm of a positive normal number to some 2^-66 of it. log_of_parts, its leading terms in pairs.
TENON_MATHS PairF64 log_pair(double x) {
  const LogPartsF64 p = log_parts(x);
  const double f = p.m - 1.0, n = p.exponent(), u = 2.0 + f, inverse = 1.0 / u, quotient = f * inverse;
  const double rest = __builtin_fma(-quotient, u, f) - quotient * (f - (u - 2.0));
  const PairF64 s{quotient, rest * inverse}, z = product_of(s, s);
  double q = 1.19904279463459218e-01;
  q = q * z.high + 1.16746490227902996e-01;
  q = q * z.high + 1.33363257476380032e-01;
  q = q * z.high + 1.53845566550894236e-01;
  q = q * z.high + 1.81818188734705094e-01;
  q = q * z.high + 2.22222222175108203e-01;
  q = q * z.high + 2.85714285714452176e-01;
  q = q * z.high + 3.99999999999999800e-01;
  PairF64 factor = sum_of(0.6666666666666666, q * z.high);
  factor.low += 3.700743415417188e-17;
  const PairF64 cubic = product_of(product_of(s, z), factor);
  // n log(2) is 0 or larger than 2 s
  const double whole = n * kLog2High, twice = 2.0 * s.high;
  const PairF64 first = sum_of(whole == 0 ? twice : whole, whole == 0 ? 0.0 : twice), second = sum_of(first.high, cubic.high);
  return sum_of(second.high, second.low + (first.low + (2.0 * s.low + (cubic.low + n * kLog2Low))));
}
/// x^y = e^(y log x), for positive normal x and finite y.
TENON_MATHS double pow_f64(double x, double y) {
  const PairF64 l = log_pair(x);
  const double t = y * l.high, low = __builtin_fma(y, l.high, -t) + y * l.low;
  const bool inside = __builtin_fabs(t) < 760.0;  // beyond, the result is 0 or infinite, and the rest may not be a number
  return exp_f64(t, inside ? low : 0.0);
}

/// -1 < x finite: of 1 + x rounded, and what rounding lost over it.
TENON_MATHS double log1p_f64(double x) {
  const double u = 1.0 + x, lost = x - (u - 1.0);
  const LogPartsF64 p = log_parts(u);
  const double scale = u > 1e30 ? 0.0 : std::bit_cast<double>((2046 - p.biased) << 52);  // 2^-e, where something was lost
  const double result = log_of_parts((p.m - 1.0) + lost * scale, p.exponent());
  return x == 0 ? x : result;
}

/// log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), the last of 1 + u <= 2: as it is, or as twice what lies near 1.
TENON_MATHS double softplus_f64(double x) {
  const double u = exp_f64(x < 0 ? x : -x);
  const bool upper = u > 0.41421356237309503;
  return (x > 0 ? x : 0.0) + log_of_parts(upper ? 0.5 * (u - 1.0) : u, upper ? 1.0 : 0.0);
}

/// The exponential of a number that is not positive: no overflow.
TENON_MATHS double sigmoid_f64(double x) {
  const double e = exp_f64(x < 0 ? x : -x);
  return (x < 0 ? e : 1.0) / (1.0 + e);
}

/// (e^y - 1) / (e^y + 1) at y = 2 |x|.
TENON_MATHS double tanh_f64(double x) {
  double y = 2.0 * __builtin_fabs(x);
  y = y > 44.0 ? 44.0 : y;  // there the result is 1 to the last bit
  const ExpPartsF64<double> e = exp_parts(y);
  const double power = power_of_two(e.shifted), minus_one = power * e.rest + (power - 1.0);
  return with_sign_of(minus_one / (minus_one + 2.0), x);
}

/// e^|x| / 4 - 1/4 and e^|x| / 4, neither of which overflows where sinh and cosh do not.
template <class T>
struct Quarters {
  T less, whole;
};
TENON_MATHS Quarters<double> quarters(double x) {
  double y = __builtin_fabs(x);
  y = y > 710.6 ? 710.6 : y;  // above the largest finite result
  const ExpPartsF64<double> e = exp_parts(y);
  const double quarter = power_of_two(e.shifted - 2.0), less = quarter * e.rest + (quarter - 0.25);
  return {less, less + 0.25};
}
TENON_MATHS Quarters<float> quarters(float x) {
  float y = __builtin_fabsf(x);
  y = y > 89.5f ? 89.5f : y;
  const ExpParts e = exp_parts(y);
  const float quarter = std::bit_cast<float>((e.whole + 125) << 23), less = quarter * e.rest + (quarter - 0.25f);
  return {less, less + 0.25f};
}
/// (E + E / (E + 1)) / 2, E = e^|x| - 1: nothing cancels near 0. f32 within 2 ulp.
template <class T>
TENON_MATHS T sinh_of(T x) {
  constexpr T kLinear = std::is_same_v<T, float> ? T(1e-5) : T(1e-9);  // below, x to the last bit, subnormal numbers too
  const Quarters<T> q = quarters(x);
  const T size = 2 * (q.less + q.less / (4 * q.whole));
  return size_of_number(x) < kLinear ? x : with_sign_of(size, x);
}
template <class T>
TENON_MATHS T cosh_of(T x) {
  const Quarters<T> q = quarters(x);
  return 2 * q.whole + T(0.125) / q.whole;
}

/// 1 - e^q, q = log erfc(|x|) by a polynomial in |x| that vanishes at 0.
TENON_MATHS double erf_f64(double x) {
  double y = __builtin_fabs(x);
  y = y > 5.92 ? 5.92 : y;  // there the result is 1 to the last bit
  double p = -8.03975719648438555e-18;
  p = p * y + 5.14669062827101185e-16;
  p = p * y - 1.55090064504104433e-14;
  p = p * y + 2.92513053229651957e-13;
  p = p * y - 3.87204920925069096e-12;
  p = p * y + 3.82155806433123463e-11;
  p = p * y - 2.91390962290760849e-10;
  p = p * y + 1.75258945002839367e-09;
  p = p * y - 8.39436467621470542e-09;
  p = p * y + 3.19360573628129746e-08;
  p = p * y - 9.44268620791375519e-08;
  p = p * y + 2.02758479071670249e-07;
  p = p * y - 2.42772284434421410e-07;
  p = p * y - 1.87653717422297064e-07;
  p = p * y + 1.57172563363343055e-06;
  p = p * y - 2.67883175587085043e-06;
  p = p * y - 3.52220386660363440e-06;
  p = p * y + 2.97907445071201837e-05;
  p = p * y - 6.45219046618154856e-05;
  p = p * y - 2.58683295473847866e-05;
  p = p * y + 5.90122963648769937e-04;
  p = p * y - 1.69620592438410995e-03;
  p = p * y + 2.09194640046029553e-04;
  p = p * y + 1.91284470090384469e-02;
  p = p * y - 1.02772603301939908e-01;
  p = p * y - 6.36619772367581382e-01;
  p = p * y - 1.12837916709551256e+00;
  const ExpPartsF64<double> e = exp_parts(p * y);
  const double power = power_of_two(e.shifted);
  return with_sign_of((1.0 - power) - power * e.rest, x);
}

inline constexpr double kWaveReachF64 = 1e6;
/// x = n pi / 2 + (r + low), |r| <= pi / 4, for |x| <= kWaveReachF64: pi / 2 in three parts, the first two exact times n.
struct WavePartsF64 {
  double r, low;
  std::uint64_t n;  ///< its two lowest bits
};
TENON_MATHS WavePartsF64 wave_parts(double x) {
  const double shifted = x * 0.63661977236758134308 + kWhole, n = shifted - kWhole;
  const double t = x - n * 1.57079632673412561417, w = n * 6.07710050630396597660e-11, first = t - w;
  const double rest = ((t - first) - w) - n * 2.02226624879595063154e-21, r = first + rest;
  return {r, (first - r) + rest, std::bit_cast<std::uint64_t>(shifted)};
}
TENON_MATHS double sin_of_parts(const WavePartsF64& p) {
  const double z = p.r * p.r;
  double s = 1.58966781772687522e-10;
  s = s * z - 2.50507562168300406e-08;
  s = s * z + 2.75573136807063874e-06;
  s = s * z - 1.98412698297783960e-04;
  s = s * z + 8.33333333332238017e-03;
  s = s * z - 1.66666666666666324e-01;
  return p.r + ((p.low + s * (z * p.r)) - p.low * (0.5 * z));
}
TENON_MATHS double cos_of_parts(const WavePartsF64& p) {
  const double z = p.r * p.r, head = 1.0 - 0.5 * z;
  double c = -1.13584233094971315e-11;
  c = c * z + 2.08756987345422817e-09;
  c = c * z - 2.75573141644637532e-07;
  c = c * z + 2.48015872888030909e-05;
  c = c * z - 1.38888888888729842e-03;
  c = c * z + 4.16666666666665950e-02;
  return head + ((((1.0 - head) - 0.5 * z) + c * (z * z)) - p.r * p.low);
}
/// sin(x + quarter pi / 2) for |x| <= kWaveReachF64. Loses the sign of 0.
TENON_MATHS double wave_f64(double x, std::uint64_t quarter) {
  const WavePartsF64 p = wave_parts(x);
  const double s = sin_of_parts(p), c = cos_of_parts(p);
  const std::uint64_t q = p.n + quarter;
  return std::bit_cast<double>(std::bit_cast<std::uint64_t>((q & 1) ? c : s) ^ ((q & 2) << 62));
}
/// For |x| <= kWaveReachF64. Loses the sign of 0.
TENON_MATHS double tan_f64(double x) {
  const WavePartsF64 p = wave_parts(x);
  const double s = sin_of_parts(p), c = cos_of_parts(p);
  return (p.n & 1) ? -c / s : s / c;
}

/// x Phi(x), and Phi(x) + x phi(x), Phi the normal distribution.
TENON_MATHS double gelu_f64(double x) {
  return 0.5 * x * (1.0 + erf_f64(x * 0.70710678118654752440));
}
TENON_MATHS double gelu_slope_f64(double x) {
  return 0.5 * (1.0 + erf_f64(x * 0.70710678118654752440) + x * 0.79788456080286535588 * exp_f64(-0.5 * x * x));
}

// ---- the one that loops take, by type -------------------------------------------------------------------------

TENON_MATHS float exp_loop(float x) {
  return exp_f32(x);
}
TENON_MATHS double exp_loop(double x) {
  return exp_f64(x);
}
/// For positive normal x.
TENON_MATHS float log_loop(float x) {
  return log_f32(x);
}
TENON_MATHS double log_loop(double x) {
  return log_f64(x);
}

}  // namespace tenon
