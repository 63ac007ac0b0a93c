// A range of uniform numbers; see kernels/random.hpp.
#include "kernels/random.hpp"

namespace tenon::TENON_ISA {

/// out[i] for elements first .. first + n - 1.
inline void uniform_range(std::uint64_t seed, std::uint64_t stream, std::uint64_t first, std::int64_t n, float low, float width, float* out) {
  constexpr int N = 16;
  std::uint32_t word0[N], word1[N];
  for (std::int64_t i = 0; i < n; i += N) {
    philox_first<N>(seed, stream, first + std::uint64_t(i), word0, word1);
    float values[N];
    for (int j = 0; j < N; ++j) values[j] = low + width * (float(std::int32_t(word0[j] >> 8)) * 5.9604644775390625e-08f);
    for (int j = 0; j < N && i + j < n; ++j) out[i + j] = values[j];
  }
}

}  // namespace tenon::TENON_ISA
