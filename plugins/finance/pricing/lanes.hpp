/// Elementary functions over four doubles at once: the maths of path simulation (private).
///
/// Errors are within 2 units in the last place over the ranges named; special values (NaN, infinities, zero in log) are not served. All is
/// straight-line arithmetic: the same bits wherever it is compiled with FMA.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace tenon::finance {

typedef double V4 __attribute__((vector_size(32)));
typedef std::int64_t I4 __attribute__((vector_size(32)));
typedef std::uint64_t U4 __attribute__((vector_size(32)));

#define TENON_LANE [[gnu::always_inline]] inline

TENON_LANE V4 lanes(double v) { return v - V4{}; }
TENON_LANE V4 fma4(V4 a, V4 b, V4 c) { return (V4)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c); }
TENON_LANE V4 fma4(V4 a, V4 b, double c) { return fma4(a, b, lanes(c)); }
TENON_LANE V4 sqrt4(V4 a) { return (V4)_mm256_sqrt_pd((__m256d)a); }
TENON_LANE V4 max4(V4 a, V4 b) { return (V4)_mm256_max_pd((__m256d)a, (__m256d)b); }
TENON_LANE V4 min4(V4 a, V4 b) { return (V4)_mm256_min_pd((__m256d)a, (__m256d)b); }
TENON_LANE V4 round4(V4 a) { return (V4)_mm256_round_pd((__m256d)a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
TENON_LANE V4 select4(I4 mask, V4 a, V4 b) { return (V4)_mm256_blendv_pd((__m256d)b, (__m256d)a, (__m256d)mask); }
TENON_LANE bool any4(I4 mask) { return _mm256_movemask_pd((__m256d)mask) != 0; }
TENON_LANE bool all4(I4 mask) { return _mm256_movemask_pd((__m256d)mask) == 15; }

/// w + 1/2 of the lower 32 bits of each lane, exactly.
TENON_LANE V4 half_up(U4 words) {
  const U4 bits = (words & 0xffffffffu) | 0x4330000000000000u;  // 2^52 + w
  return (V4)bits - (4503599627370496.0 - 0.5);
}

/// Natural logarithm, normal positive numbers.
TENON_LANE V4 log4(V4 x) {
  // x = 2^k m with m in [sqrt(1/2), sqrt(2))
  const I4 bits = (I4)x, shifted = bits - 0x3fe6a09e667f3bcdLL;  // bits of sqrt(1/2)
  const I4 k = (I4)((U4)(shifted + (1024LL << 52)) >> 52) - 1024;
  const V4 m = (V4)(bits - (k << 52));
  const V4 kd = (V4)((U4)(k + 0x4338000000000000LL)) - 6755399441055744.0;  // 1.5 * 2^52
  const V4 f = (m - 1.0) / (m + 1.0), g = f * f;
  V4 p = lanes(2.0 / 21);
  p = fma4(p, g, 2.0 / 19);
  p = fma4(p, g, 2.0 / 17);
  p = fma4(p, g, 2.0 / 15);
  p = fma4(p, g, 2.0 / 13);
  p = fma4(p, g, 2.0 / 11);
  p = fma4(p, g, 2.0 / 9);
  p = fma4(p, g, 2.0 / 7);
  p = fma4(p, g, 2.0 / 5);
  p = fma4(p, g, 2.0 / 3);
  const V4 tail = fma4(kd, lanes(1.90821492927058770002e-10), p * g * f);
  return fma4(kd, lanes(6.93147180369123816490e-01), fma4(f, lanes(2.0), tail));
}

/// Exponential, |x| < 700.
TENON_LANE V4 exp4(V4 x) {
  const V4 n = round4(x * 1.4426950408889634074);
  V4 r = fma4(n, lanes(-6.93147180369123816490e-01), x);
  r = fma4(n, lanes(-1.90821492927058770002e-10), r);
  V4 p = lanes(1.0 / 6227020800);
  p = fma4(p, r, 1.0 / 479001600);
  p = fma4(p, r, 1.0 / 39916800);
  p = fma4(p, r, 1.0 / 3628800);
  p = fma4(p, r, 1.0 / 362880);
  p = fma4(p, r, 1.0 / 40320);
  p = fma4(p, r, 1.0 / 5040);
  p = fma4(p, r, 1.0 / 720);
  p = fma4(p, r, 1.0 / 120);
  p = fma4(p, r, 1.0 / 24);
  p = fma4(p, r, 1.0 / 6);
  p = fma4(p, r, 0.5);
  p = fma4(p, r, 1.0);
  p = fma4(p, r, 1.0);
  const I4 k = (I4)(n + 6755399441055744.0) << 52;
  return (V4)((I4)p + k);
}

/// Sine and cosine of 2 pi t, t in [0, 1].
TENON_LANE void sincos_turns(V4 t, V4& sine, V4& cosine) {
  const V4 q = round4(t * 4.0);
  const V4 r = fma4(t, lanes(4.0), -q) * 1.57079632679489661923;  // in [-pi/4, pi/4]
  const V4 g = r * r;
  V4 s = lanes(-1.0 / 1307674368000);
  s = fma4(s, g, 1.0 / 6227020800);
  s = fma4(s, g, -1.0 / 39916800);
  s = fma4(s, g, 1.0 / 362880);
  s = fma4(s, g, -1.0 / 5040);
  s = fma4(s, g, 1.0 / 120);
  s = fma4(s, g, -1.0 / 6);
  s = fma4(s * g, r, r);
  V4 c = lanes(1.0 / 20922789888000);
  c = fma4(c, g, -1.0 / 87178291200);
  c = fma4(c, g, 1.0 / 479001600);
  c = fma4(c, g, -1.0 / 3628800);
  c = fma4(c, g, 1.0 / 40320);
  c = fma4(c, g, -1.0 / 720);
  c = fma4(c, g, 1.0 / 24);
  c = fma4(c, g, -0.5);
  c = fma4(c, g, 1.0);
  const I4 k = (I4)(q + 6755399441055744.0);  // the quadrant in the low bits
  const I4 odd = k << 63, flip_s = (k << 62) & (1LL << 63), flip_c = ((k + 1) << 62) & (1LL << 63);
  sine = (V4)((I4)select4(odd, c, s) ^ flip_s);
  cosine = (V4)((I4)select4(odd, s, c) ^ flip_c);
}

/// Two standard normals of two words (Box and Muller): u = (w + 1/2) / 2^32 makes the radius, so |z| < 6.8.
TENON_LANE void normal_pair(U4 radius, U4 angle, V4& a, V4& b) {
  constexpr double kUnit = 1.0 / 4294967296.0;
  const V4 r = sqrt4(log4(half_up(radius) * kUnit) * -2.0);
  V4 s, c;
  sincos_turns(half_up(angle) * kUnit, s, c);
  a = r * c;
  b = r * s;
}

/// Philox 4x32-10 (tenon/random.hpp) for four indices; words stand in the lower halves of the lanes.
struct Philox4 {
  U4 c0, c1, c2, c3;
};
TENON_LANE U4 low_product(U4 a, std::uint32_t m) { return (U4)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x(m)); }

/// Random(seed, stream).bits(index + 0 .. 3), for `kSets` groups of four consecutive indices: independent chains hide the multiplier's latency.
template <int kSets> TENON_LANE void philox(std::uint64_t seed, std::uint64_t stream, std::uint64_t index, Philox4 (&out)[kSets]) {
  for (int s = 0; s < kSets; ++s) {
    const U4 i = U4{0, 1, 2, 3} + (index + std::uint64_t(4 * s));
    out[s] = {i, i >> 32, U4{} + stream, U4{} + (stream >> 32)};
  }
  auto k0 = std::uint32_t(seed), k1 = std::uint32_t(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int s = 0; s < kSets; ++s) {
      Philox4& c = out[s];
      const U4 p0 = low_product(c.c0, 0xD2511F53u), p1 = low_product(c.c2, 0xCD9E8D57u);
      c.c0 = (p1 >> 32) ^ c.c1 ^ std::uint64_t(k0);
      c.c1 = p1;
      c.c2 = (p0 >> 32) ^ c.c3 ^ std::uint64_t(k1);
      c.c3 = p0;
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

}  // namespace tenon::finance
