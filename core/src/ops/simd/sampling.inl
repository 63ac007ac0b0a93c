// Ranges of the samplings; see kernels/sampling.hpp.
#include "kernels/sampling.hpp"
#include "ops/simd/random.inl"

namespace tenon::TENON_ISA {

inline void draw_range(const BernoulliDraw& draw, std::uint64_t first, std::int64_t n, bool* __restrict out) {
  in_chunks<1>(draw.random, first, n, [&](std::int64_t at, std::int64_t m, const auto& rows) __attribute__((always_inline)) {
    const bool all = draw.threshold >> 32;
    const std::uint32_t below = std::uint32_t(draw.threshold);
    for (std::int64_t i = 0; i < m; ++i) out[at + i] = (rows[0][i] < below) | all;
  });
}

inline void draw_range(const IntegerDraw& draw, std::uint64_t first, std::int64_t n, std::int64_t* __restrict out) {
  in_chunks<2>(draw.random, first, n, [&](std::int64_t at, std::int64_t m, const auto& rows) __attribute__((always_inline)) {
    __extension__ using u128 = unsigned __int128;
    for (std::int64_t i = 0; i < m; ++i) {
      const std::uint64_t word = std::uint64_t(rows[0][i]) << 32 | rows[1][i];
      out[at + i] = std::int64_t(std::uint64_t(draw.low) + std::uint64_t((u128(word) * draw.width) >> 64));
    }
  });
}

/// Within 2 ulp of ExponentialDraw, by a logarithm that is vectorised.
inline void draw_range(const ExponentialDraw& draw, std::uint64_t first, std::int64_t n, float* __restrict out) {
  in_chunks<1>(draw.random, first, n, [&](std::int64_t at, std::int64_t m, const auto& rows) __attribute__((always_inline)) {
    for (std::int64_t i = 0; i < m; ++i) {
      const float u = (float(std::int32_t(rows[0][i] >> 8)) + 0.5f) * 5.9604644775390625e-08f;
      out[at + i] = -draw.mean * log_f32(u);
    }
  });
}

/// Permutation's network over values[0 .. n - 1]; up to what is computed at once, what follows is overwritten.
inline void encipher(const Permutation& permutation, std::int64_t n, std::uint64_t* values) {
  constexpr int N = kLanes<std::uint64_t>, kSets = 4;
  const Random& random = permutation.random();
  const int half = permutation.half_bits();
  const std::uint64_t mask = (std::uint64_t(1) << half) - 1, stream = random.stream();
  for (std::int64_t i = 0; i < n; i += kSets * N) {
    Wide left[kSets], right[kSets];
    for (int s = 0; s < kSets; ++s) {
      Wide value;
      std::memcpy(&value, values + i + s * N, sizeof value);
      left[s] = value >> half, right[s] = value & mask;
    }
    for (std::uint64_t round = 0; round < Permutation::kRounds; ++round)
      for (int s = 0; s < kSets; ++s) {
        PhiloxLanes<Wide> lanes{right[s], Wide{} + round, Wide{} + stream, Wide{} + (stream >> 32), std::uint32_t(random.seed()), std::uint32_t(random.seed() >> 32)};
        for (int mixed = 0; mixed < 10; ++mixed) lanes.mix(multiply_low(lanes.c0, kPhiloxMultiplier0), multiply_low(lanes.c2, kPhiloxMultiplier1));
        const Wide word = lanes.c0 & 0xffffffffu, next = left[s] ^ (word & mask);
        left[s] = right[s], right[s] = next;
      }
    for (int s = 0; s < kSets; ++s) {
      const Wide value = left[s] << half | right[s];
      std::memcpy(values + i + s * N, &value, sizeof value);
    }
  }
}

/// By Permutation's network; values past the end go round again, with others that do.
inline void draw_range(const PermutationDraw& draw, std::uint64_t first, std::int64_t n, std::int64_t* __restrict out) {
  const Permutation& permutation = draw.permutation;
  std::uint64_t values[kWordChunk] = {};
  std::int32_t places[kWordChunk];
  for (std::int64_t at = 0; at < n; at += kWordChunk) {
    std::int64_t left = n - at < kWordChunk ? n - at : kWordChunk;
    for (std::int64_t i = 0; i < left; ++i) values[i] = first + std::uint64_t(at + i), places[i] = std::int32_t(i);
    while (left > 0) {
      encipher(permutation, left, values);
      std::int64_t kept = 0;
      for (std::int64_t i = 0; i < left; ++i) {
        const std::uint64_t value = values[i];
        const std::int32_t place = places[i];
        out[at + place] = std::int64_t(value);  // overwritten in its turn where it is past the end
        values[kept] = value, places[kept] = place;
        kept += value >= std::uint64_t(permutation.size());
      }
      left = kept;
    }
  }
}

template <class Draw>
void draws(const Draw& draw, std::uint64_t first, std::int64_t n, typename Draw::value_type* out) {
  draw_range(draw, first, n, out);
}

}  // namespace tenon::TENON_ISA
