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
/// sin(x + quarter pi / 2) for |x| <= kWaveReach. Within 1.5 ulp; loses the sign of 0.
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
/// For |x| <= kWaveReach, in double: within 1 ulp; loses the sign of 0.
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

/// x^y = 2^(y log2 x) in double, for 0 < x and finite x and y. Within 0.75 ulp.
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

}  // namespace tenon
