// Maths of vectors; see kernels/vec.inl and kernels/maths_f64.hpp.
#include "kernels/maths_f64.hpp"
#include "kernels/vec.inl"

namespace tenon::TENON_ISA {

/// v where it is larger: a NaN in v is passed over.
template <class V>
[[gnu::always_inline]] inline V larger(const V& v, const V& than) {
  return v > than ? v : than;
}

/// exp_f32 of each lane, with its bits.
template <int N>
[[gnu::always_inline]] inline Vec<float, N> exp_lanes(Vec<float, N> x) {
  x = x < -104.0f ? splat<float, N>(-104.0f) : x;
  x = x > 89.0f ? splat<float, N>(89.0f) : x;
  const Vec<float, N> shifted = x * 1.44269504088896341f + 12582912.0f, n = shifted - 12582912.0f;
  const Vec<float, N> r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  Vec<float, N> p = r * 1.98412698e-4f + 1.38888889e-3f;
  p = p * r + 8.33333333e-3f;
  p = p * r + 4.16666667e-2f;
  p = p * r + 1.66666667e-1f;
  p = p * r + 0.5f;
  p = p * (r * r) + r + 1.0f;
#if TENON_LANES_BYTES == 64  // one instruction that rounds once, as the two factors do
  if constexpr (N == 16) return (Vec<float, N>)_mm512_maskz_scalef_ps(0xffff, (__m512)p, (__m512)n);
#endif
  using Whole = Vec<std::int32_t, N>;
  const Whole whole = (Whole)shifted - 0x4b400000, half = whole >> 1;
  return p * (Vec<float, N>)((half + 127) << 23) * (Vec<float, N>)((whole - half + 127) << 23);
}
/// exp_f64 of each lane, with its bits.
template <int N>
[[gnu::always_inline]] inline Vec<double, N> exp_lanes(Vec<double, N> x) {
  x = x < -746.0 ? splat<double, N>(-746.0) : x;
  x = x > 710.0 ? splat<double, N>(710.0) : x;
  const ExpPartsF64<Vec<double, N>> e = exp_parts(x);
  const Vec<double, N> p = e.rest + 1.0, n = e.shifted - kWhole;
#if TENON_LANES_BYTES == 64
  if constexpr (N == 8) return (Vec<double, N>)_mm512_maskz_scalef_pd(0xff, (__m512d)p, (__m512d)n);
#endif
  using Whole = Vec<std::int64_t, N>;
  const Vec<double, N> half = n * 0.5 + kWhole, rest = n - (half - kWhole) + kWhole;
  return p * (Vec<double, N>)(((Whole)half + 1023) << 52) * (Vec<double, N>)(((Whole)rest + 1023) << 52);
}

}  // namespace tenon::TENON_ISA
