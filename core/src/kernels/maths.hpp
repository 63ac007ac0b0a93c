/// Further functions without calls or branches, for f32 loops that compilers vectorise (private; CPU loops only: CUDA has its own).
///
/// Errors measured over all of float, or over what is named (tests/core/ops/elementwise_range_test.cpp): see each. NaN stays, infinities go where
/// they should, zeros keep their sign.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/activation.hpp"
#include "kernels/maths_f64.hpp"

namespace tenon {

/// e^x - 1 = 2^n (e^r - 1) + (2^n - 1): nothing cancels near 0. Within 2 ulp.
TENON_MATHS float expm1_f32(float x) {
  float y = x < -30.0f ? -30.0f : x;  // there the result is -1 to the last bit
  y = y > 89.0f ? 89.0f : y;          // above the largest finite result
  const ExpParts e = exp_parts(y);
  const float half = std::bit_cast<float>((e.whole + 126) << 23);  // half of 2^n, which may lie above the largest number
  const float result = 2.0f * (half * e.rest + (half - 0.5f));
  return x == 0.0f ? x : result;
}

/// log(1 + x), -1 < x finite: of 1 + x rounded, and what rounding lost over it. Within 2 ulp.
TENON_MATHS float log1p_f32(float x) {
  const float u = 1.0f + x, lost = x - (u - 1.0f);
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(u);
  const std::int32_t e = std::int32_t(bits - 0x3f3504f3u) >> 23;
  const float m = std::bit_cast<float>(bits - (std::uint32_t(e) << 23));
  const float scale = std::bit_cast<float>((e > 100 ? 0 : 127 - e) << 23);  // 2^-e, where something was lost
  const float f = (m - 1.0f) + lost * scale;                  // where e is 0 that is x itself
  return log_of_parts(f, float(e));
}

/// log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), the last of 1 + u <= 2: as it is, or as twice what lies near 1.
TENON_MATHS float softplus_f32(float x) {
  const float u = exp_f32(x < 0 ? x : -x);
  const bool upper = u > 0.41421356f;
  return (x > 0 ? x : 0.0f) + log_of_parts(upper ? 0.5f * (u - 1.0f) : u, upper ? 1.0f : 0.0f);
}

inline constexpr float kWaveReach = 1e6f;
/// x = n pi / 2 + r, |r| <= pi / 4, for |x| <= kWaveReach: in double, with pi / 2 in three parts.
struct WaveParts {
  double r;
  std::int32_t n;  ///< its two lowest bits
};
TENON_MATHS WaveParts wave_parts(float x) {
  const double d = double(x), shifted = d * 0.63661977236758134308 + kWhole, n = shifted - kWhole;
  const double r = ((d - n * 1.57079632673412561417) - n * 6.07710050630396597660e-11) - n * 2.02226624879595063154e-21;
  return {r, std::int32_t(std::bit_cast<std::int64_t>(shifted))};
}
/// sin(x + quarter pi / 2) for |x| <= kWaveReach. Within 1.5 ulp.
TENON_MATHS float wave_f32(float x, int quarter) {
  const WaveParts w = wave_parts(x);
  const std::int32_t q = w.n + quarter;
  const float f = float(w.r), z = f * f;
  float s = 2.75573192e-6f;
  s = s * z - 1.98412698e-4f;
  s = s * z + 8.33333333e-3f;
  s = s * z - 1.66666667e-1f;
  s = s * (z * f) + f;
  float c = -2.75573192e-7f;
  c = c * z + 2.48015873e-5f;
  c = c * z - 1.38888889e-3f;
  c = c * z + 4.16666667e-2f;
  c = c * (z * z) + (1.0f - 0.5f * z);
  const float v = (q & 1) ? c : s;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(v) ^ (std::uint32_t(q & 2) << 30));
}
/// For |x| <= kWaveReach, in double. Loses the sign of 0, as wave_f32 does.
TENON_MATHS float tan_f32(float x) {
  const WaveParts w = wave_parts(x);
  const double z = w.r * w.r;
  double s = 2.71828927735988006e-06;
  s = s * z - 1.98393315412912500e-04;
  s = s * z + 8.33332937639390432e-03;
  s = s * z - 1.66666666415506259e-01;
  s = s * (z * w.r) + w.r;
  double c = 2.44328751171242493e-05;
  c = c * z - 1.38873140993393861e-03;
  c = c * z + 4.16666456475467059e-02;
  c = c * (z * z) + (1.0 - 0.5 * z);
  const bool odd = w.n & 1;
  return float((odd ? -c : s) / (odd ? s : c));
}

TENON_MATHS float with_sign_of(float size, float sign) {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(size) | (std::bit_cast<std::uint32_t>(sign) & 0x80000000u));
}
inline constexpr float kHalfPiF32 = 1.57079637f, kHalfPiLowF32 = -4.37113883e-08f;

/// (atan(t) - t) / t of z = t^2, 0 <= t <= 1.
TENON_MATHS float atan_rest(float z) {
  float p = -1.793581567e-03f;
  p = p * z + 1.091441851e-02f;
  p = p * z - 3.117747772e-02f;
  p = p * z + 5.795719797e-02f;
  p = p * z - 8.403425182e-02f;
  p = p * z + 1.095217625e-01f;
  p = p * z - 1.426423964e-01f;
  p = p * z + 1.999854807e-01f;
  p = p * z - 3.333329908e-01f;
  return p * z;
}
/// The angle of (x, y) by the quotient of the smaller over the larger size, which lies in [0, 1].
TENON_MATHS float atan2_f32(float y, float x) {
  const float a = __builtin_fabsf(y), b = __builtin_fabsf(x);
  const bool steep = a > b, left = std::bit_cast<std::int32_t>(x) < 0;
  const float small = steep ? b : a, large = steep ? a : b;
  const float quotient = small / large, t = large == 0 ? small : small == large ? 1.0f : quotient;
  const float p = t + t * atan_rest(t * t), turns = steep ? 1.0f : left ? 2.0f : 0.0f;
  return with_sign_of(turns * kHalfPiF32 + (turns * kHalfPiLowF32 + (steep != left ? -p : p)), y);
}
TENON_MATHS float atan_f32(float x) {
  const float a = __builtin_fabsf(x);
  const bool steep = a > 1.0f;
  const float t = steep ? 1.0f / a : a, p = t + t * atan_rest(t * t);
  return with_sign_of(steep ? kHalfPiF32 + (kHalfPiLowF32 - p) : p, x);
}

/// asin(|x|) up to 1/2, and beyond what is taken from pi / 2: 2 asin(s), s = sqrt((1 - |x|) / 2). In double.
TENON_MATHS double arc_of(float x) {
  const double a = __builtin_fabs(double(x));
  const bool beyond = a > 0.5;
  const double half = 0.5 - 0.5 * a, root = __builtin_sqrt(half), z = beyond ? half : a * a, s = a < root ? a : root;  // NaN beyond 1
  double p = 4.22195065518e-02;
  p = p * z + 2.41473729257e-02;
  p = p * z + 4.54770533136e-02;
  p = p * z + 7.49524314194e-02;
  p = p * z + 1.66667538613e-01;
  const double arc = s + s * (z * p);
  return beyond ? arc + arc : arc;
}
TENON_MATHS float asin_f32(float x) {
  const double arc = arc_of(x);
  return with_sign_of(float(__builtin_fabsf(x) > 0.5f ? kHalfPi - arc : arc), x);
}
TENON_MATHS float acos_f32(float x) {
  const double arc = arc_of(x);
  const bool beyond = __builtin_fabsf(x) > 0.5f, left = x < 0;
  return float((beyond ? (left ? 2 * kHalfPi : 0.0) : kHalfPi) + (beyond == left ? -arc : arc));
}

/// e^|x| / 4 - 1/4 and e^|x| / 4, neither of which overflows where sinh and cosh do not.
struct Quarters {
  float less, whole;
};
TENON_MATHS Quarters quarters(float x) {
  float y = __builtin_fabsf(x);
  y = y > 89.5f ? 89.5f : y;  // above the largest finite result
  const ExpParts e = exp_parts(y);
  const float quarter = std::bit_cast<float>((e.whole + 125) << 23), less = quarter * e.rest + (quarter - 0.25f);
  return {less, less + 0.25f};
}
/// (E + E / (E + 1)) / 2, E = e^|x| - 1: nothing cancels near 0.
TENON_MATHS float sinh_f32(float x) {
  const Quarters q = quarters(x);
  const float size = 2.0f * (q.less + q.less / (4.0f * q.whole));
  return __builtin_fabsf(x) < 1e-5f ? x : with_sign_of(size, x);
}
TENON_MATHS float cosh_f32(float x) {
  const Quarters q = quarters(x);
  return 2.0f * q.whole + 0.125f / q.whole;
}

/// x^y = 2^(y log2 x) in double, for 0 < x and finite x and y.
TENON_MATHS float pow_f32(float x, float y) {
  const LogPartsF64 p = log_parts(double(x));
  const double f = p.m - 1.0, s = f / (2.0 + f), z = s * s;
  double l = 3.40759361846654507e-01;
  l = l * z + 4.11671134611502509e-01;
  l = l * z + 5.77083611570791799e-01;
  l = l * z + 9.61796673200180363e-01;
  l = l * z + 2.88539008179020273e+00;
  double t = double(y) * (l * s + p.exponent());
  t = t < -160.0 ? -160.0 : t;  // below the smallest subnormal
  t = t > 130.0 ? 130.0 : t;    // above the largest finite result
  const double shifted = t + kWhole, r = t - (shifted - kWhole);
  double e = 1.54450182050029281e-04;
  e = e * r + 1.34013267119104779e-03;
  e = e * r + 9.61809816395897167e-03;
  e = e * r + 5.55032495798172265e-02;
  e = e * r + 2.40226507277027768e-01;
  e = e * r + 6.93147207766620754e-01;
  return float((e * r + 1.0) * power_of_two(shifted));
}

/// Scaled by a power of 2 to where no square leaves the normal range.
TENON_MATHS float hypot_f32(float x, float y) {
  const float a = __builtin_fabsf(x), b = __builtin_fabsf(y), large = a > b ? a : b;
  const float scale = large > 0x1p60f ? 0x1p-70f : large < 0x1p-50f ? 0x1p90f : 1.0f;
  const float back = large > 0x1p60f ? 0x1p70f : large < 0x1p-50f ? 0x1p-90f : 1.0f;
  const float u = a * scale, v = b * scale, size = __builtin_sqrtf(u * u + v * v) * back;
  return (a == INFINITY) | (b == INFINITY) ? INFINITY : size;  // whatever the other is
}

}  // namespace tenon
