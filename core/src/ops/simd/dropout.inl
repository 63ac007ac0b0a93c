// Random words in order of blocks; see kernels/random.hpp.
#include "ops/simd/random.inl"

namespace tenon::TENON_ISA {

/// out[4 b + w]: word w of block first + b.
inline void random_words(std::uint64_t seed, std::uint64_t stream, std::uint64_t first, std::int64_t blocks, std::uint32_t* out) {
  constexpr int N = kLanes<std::uint64_t>;
  Wide step;
  for (int j = 0; j < N; ++j) step[j] = std::uint64_t(j);
  for (std::int64_t b = 0; b < blocks; b += N) {
    const Wide index = step + (first + std::uint64_t(b));
    PhiloxLanes<Wide> lanes{index, index >> 32, Wide{} + stream, Wide{} + (stream >> 32), std::uint32_t(seed), std::uint32_t(seed >> 32)};
    for (int round = 0; round < 10; ++round)
      lanes.mix(multiply_low(lanes.c0, kPhiloxMultiplier0), multiply_low(lanes.c2, kPhiloxMultiplier1));
    const Wide c0 = lanes.c0, c1 = lanes.c1, c2 = lanes.c2, c3 = lanes.c3;  // GCC loses track of the lanes of a struct's vectors
    const int n = blocks - b < N ? int(blocks - b) : N;
    for (int j = 0; j < n; ++j, out += 4)
      out[0] = std::uint32_t(c0[j]), out[1] = std::uint32_t(c1[j]), out[2] = std::uint32_t(c2[j]), out[3] = std::uint32_t(c3[j]);
  }
}

}  // namespace tenon::TENON_ISA
