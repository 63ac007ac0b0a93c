// Ranges of uniform and normal numbers; see kernels/random.hpp.
#include "kernels/maths.hpp"
#include "kernels/random.hpp"
#include "kernels/vec.inl"
#include "tenon/random.hpp"

namespace tenon::TENON_ISA {

using Wide = Vec<std::uint64_t, kLanes<std::uint64_t>>;

/// Products of the low halves of the lanes (compilers use the slow full multiplication when asked in plain code).
[[gnu::always_inline]] inline Wide multiply_low(const Wide& a, std::uint32_t m) {
#if defined(__x86_64__) && TENON_LANES_BYTES == 64
  return (Wide)_mm512_maskz_mul_epu32(0xff, (__m512i)a, _mm512_set1_epi64(m));
#elif defined(__x86_64__) && TENON_LANES_BYTES == 32
  return (Wide)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x(m));
#elif defined(__x86_64__)
  return (Wide)_mm_mul_epu32((__m128i)a, _mm_set1_epi64x(m));
#else
  return (a & 0xffffffffu) * std::uint64_t(m);
#endif
}

/// out[i] for elements first .. first + n - 1, none above `most`.
inline void uniform_range(std::uint64_t seed, std::uint64_t stream, std::uint64_t first, std::int64_t n, float low, float width,
                          float most, float* out) {
  constexpr int N = kLanes<std::uint64_t>, kSets = 4;  // several independent chains hide the multiplier's latency
  Wide step[kSets];
  for (int s = 0; s < kSets; ++s)
    for (int j = 0; j < N; ++j) step[s][j] = std::uint64_t(s * N + j);
  for (std::int64_t i = 0; i < n; i += kSets * N) {
    float values[kSets * N];
    for (int s = 0; s < kSets; ++s) {
      Wide index = step[s] + (first + std::uint64_t(i));
      PhiloxLanes<Wide> lanes{index, index >> 32, Wide{} + stream, Wide{} + (stream >> 32), std::uint32_t(seed), std::uint32_t(seed >> 32)};
      for (int round = 0; round < 10; ++round)
        lanes.mix(multiply_low(lanes.c0, kPhiloxMultiplier0), multiply_low(lanes.c2, kPhiloxMultiplier1));
      Vec<float, N> u =
          __builtin_convertvector(__builtin_convertvector((lanes.c0 & 0xffffffffu) >> 8, Vec<std::int32_t, N>), Vec<float, N>);
      const Vec<float, N> v = low + width * (u * 5.9604644775390625e-08f), top = splat<float, N>(most);  // rounding may reach the upper end
      store<N>(values + s * N, v < top ? v : top);
    }
    std::int64_t left = n - i < kSets * N ? n - i : kSets * N;
    std::memcpy(out + i, values, sizeof(float) * std::size_t(left));
  }
}

inline constexpr int kWordChunk = 1024;  ///< elements whose words fit the first cache, a multiple of what is drawn at once

/// rows[w][i]: word w < W of block first + i, i < n <= kWordChunk; what follows in a row is overwritten.
template <int W>
inline void words_of_blocks(std::uint64_t seed, std::uint64_t stream, std::uint64_t first, std::int64_t n, std::uint32_t (&rows)[W][kWordChunk]) {
  constexpr int N = kLanes<std::uint64_t>, kSets = 4;
  static_assert(kWordChunk % (kSets * N) == 0);
  Wide step;
  for (int j = 0; j < N; ++j) step[j] = std::uint64_t(j);
  for (std::int64_t i = 0; i < n; i += kSets * N) {
    for (int s = 0; s < kSets; ++s) {
      const Wide index = step + (first + std::uint64_t(i + s * N));
      PhiloxLanes<Wide> lanes{index, index >> 32, Wide{} + stream, Wide{} + (stream >> 32), std::uint32_t(seed), std::uint32_t(seed >> 32)};
      for (int round = 0; round < 10; ++round)
        lanes.mix(multiply_low(lanes.c0, kPhiloxMultiplier0), multiply_low(lanes.c2, kPhiloxMultiplier1));
      const Wide all[2] = {lanes.c0, lanes.c1};
      for (int w = 0; w < W; ++w) {
        const Vec<std::uint32_t, N> low = __builtin_convertvector(all[w], Vec<std::uint32_t, N>);
        std::memcpy(rows[w] + i + s * N, &low, sizeof low);
      }
    }
  }
}

/// use(place in the range, its words, one a row) for elements first .. first + n - 1, a chunk at a time.
template <int W, class Use>
[[gnu::always_inline]] inline void in_chunks(const Random& random, std::uint64_t first, std::int64_t n, Use use) {
  alignas(64) std::uint32_t rows[W][kWordChunk];
  for (std::int64_t i = 0; i < n; i += kWordChunk) {
    const std::int64_t m = n - i < kWordChunk ? n - i : kWordChunk;
    words_of_blocks<W>(random.seed(), random.stream(), first + std::uint64_t(i), m, rows);
    use(i, m, rows);
  }
}

/// Random::normal within 5 ulp, by functions that are vectorised.
inline void normal_range(const Random& random, std::uint64_t first, std::int64_t n, float mean, float deviation, float* __restrict out) {
  in_chunks<2>(random, first, n, [&](std::int64_t at, std::int64_t m, const auto& rows) __attribute__((always_inline)) {
    for (std::int64_t i = 0; i < m; ++i) {
      const float u = (float(std::int32_t(rows[0][i] >> 8)) + 0.5f) * 5.9604644775390625e-08f;
      const float turn = float(std::int32_t(rows[1][i] >> 8)) * 5.9604644775390625e-08f;
      out[at + i] = mean + deviation * (__builtin_sqrtf(-2.0f * log_f32(u)) * wave_f32(6.28318530717958647692f * turn, 1));
    }
  });
}

}  // namespace tenon::TENON_ISA
