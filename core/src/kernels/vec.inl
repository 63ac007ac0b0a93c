// Vectors of one instruction set: N lanes of an accumulation type, loaded from and stored to any storage type.
// Included by loop files inside foreach_isa.hpp; see kernels/isa.hpp.
#include <cstdint>
#include <cstring>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "kernels/types.hpp"

namespace tenon::TENON_ISA {

template <class A, int N>
struct VecOf {
  typedef A type __attribute__((vector_size(N * sizeof(A))));
};
template <class A, int N>
using Vec = typename VecOf<A, N>::type;

template <class A>
inline constexpr int kLanes = TENON_LANES_BYTES / int(sizeof(A));

template <class A, int N>
[[gnu::always_inline]] inline Vec<A, N> splat(A v) {
  return v - Vec<A, N>{};
}

template <int N, class T>
[[gnu::always_inline]] inline Vec<Acc<T>, N> load(const T* p) {
  if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) {
    Vec<T, N> v;
    std::memcpy(&v, p, sizeof v);
    return v;
  } else if constexpr (std::is_same_v<T, bf16>) {
#if TENON_LANES_BYTES == 64  // one instruction that the compiler does not find by itself
    if constexpr (N == 16)
      return (
          Vec<float, N>)((Vec<std::uint32_t, N>)_mm512_maskz_cvtepu16_epi32(0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))
                         << 16);
#endif
    Vec<std::uint16_t, N> raw;
    std::memcpy(&raw, p, sizeof raw);
    return (Vec<float, N>)(__builtin_convertvector(raw, Vec<std::uint32_t, N>) << 16);
  } else {
#if defined(__F16C__)
#if TENON_LANES_BYTES == 64
    if constexpr (N == 16) return (Vec<float, N>)_mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
#endif
    if constexpr (N == 8) return (Vec<float, N>)_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    if constexpr (N == 4) return (Vec<float, N>)_mm_cvtph_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
#endif
    Vec<float, N> v{};
    for (int i = 0; i < N; ++i) v[i] = float(p[i]);
    return v;
  }
}

template <int N, class T>
[[gnu::always_inline]] inline void store(T* p, Vec<Acc<T>, N> v) {
  if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) {
    std::memcpy(p, &v, sizeof v);
  } else if constexpr (std::is_same_v<T, bf16>) {
    // Round to nearest even; a NaN stays one (the addition could carry it into infinity or the sign).
    Vec<std::uint32_t, N> u = (Vec<std::uint32_t, N>)v;
    Vec<std::uint32_t, N> rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    Vec<std::uint32_t, N> nan = (u >> 16) | 0x40u;
    rounded = (u & 0x7fffffffu) > 0x7f800000u ? nan : rounded;
    Vec<std::uint16_t, N> raw = __builtin_convertvector(rounded, Vec<std::uint16_t, N>);
    std::memcpy(static_cast<void*>(p), &raw, sizeof raw);
  } else {
#if defined(__F16C__)
    if constexpr (N >= 4 && N <= 16) {  // the instructions would keep a NaN's digits
      const Vec<std::uint32_t, N> u = (Vec<std::uint32_t, N>)v;
      v = (u & 0x7fffffffu) > 0x7f800000u ? (Vec<float, N>)((u & 0x80000000u) | 0x7fc00000u) : v;
    }
#if TENON_LANES_BYTES == 64
    if constexpr (N == 16) return _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_maskz_cvtps_ph(0xffff, (__m512)v, _MM_FROUND_TO_NEAREST_INT));
#endif
    if constexpr (N == 8) return _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph((__m256)v, _MM_FROUND_TO_NEAREST_INT));
    if constexpr (N == 4) return _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_cvtps_ph((__m128)v, _MM_FROUND_TO_NEAREST_INT));
#endif
    for (int i = 0; i < N; ++i) p[i] = T(v[i]);
  }
}

/// The lanes joined by f, halves first.
template <class A, int N, class F>
[[gnu::always_inline]] inline A fold_lanes(Vec<A, N> v, const F& f) {
  if constexpr (N == 1) {
    return v[0];
  } else {
    Vec<A, N / 2> low, high;
    std::memcpy(&low, &v, sizeof low);
    std::memcpy(&high, reinterpret_cast<const char*>(&v) + sizeof low, sizeof high);
    return fold_lanes<A, N / 2>(f(low, high), f);
  }
}

template <class A, int N>
[[gnu::always_inline]] inline A sum_lanes(Vec<A, N> v) {
  return fold_lanes<A, N>(v, [](auto& a, auto& b) { return a + b; });
}

/// Body::run<M, N>(c, args...) over [0, channels) cut into pieces of M vectors of N lanes: wide ones first, then one
/// vector of each smaller width. Pieces of fixed size let their accumulators live in registers.
template <class A, class Body, int N, class... Args>
[[gnu::always_inline]] inline void channel_tail(std::int64_t c, std::int64_t channels, Args... args) {
  if (channels - c >= N) {
    Body::template run<1, N>(c, args...);
    c += N;
  }
  if constexpr (N > 1) channel_tail<A, Body, N / 2>(c, channels, args...);
}
template <class A, class Body, class... Args>
inline void channel_blocks(std::int64_t channels, Args... args) {
  constexpr int L = kLanes<A>;
  std::int64_t c = 0;
  for (; channels - c >= 4 * L; c += 4 * L) Body::template run<4, L>(c, args...);
  for (; channels - c >= 2 * L; c += 2 * L) Body::template run<2, L>(c, args...);
  for (; channels - c >= L; c += L) Body::template run<1, L>(c, args...);
  if constexpr (L > 1) channel_tail<A, Body, L / 2>(c, channels, args...);
}

}  // namespace tenon::TENON_ISA
