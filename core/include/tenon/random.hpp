/// Counter-based randomness: Philox 4x32-10 (Salmon et al., SC 2011).
///
/// A number depends only on (seed, stream, index): the same on CPU and GPU, for any thread count and
/// after any restart. There is no global generator. A `Random` is a cheap value; copy it freely.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

#include "tenon/dtype.hpp"

namespace tenon {

/// One Philox 4x32-10 block: 128 random bits of a 128-bit counter under a 64-bit key.
TENON_HD inline std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> c, std::uint32_t k0, std::uint32_t k1) {
  for (int round = 0; round < 10; ++round) {
    std::uint64_t p0 = std::uint64_t(0xD2511F53u) * c[0], p1 = std::uint64_t(0xCD9E8D57u) * c[2];
    c = {std::uint32_t(p1 >> 32) ^ c[1] ^ k0, std::uint32_t(p1), std::uint32_t(p0 >> 32) ^ c[3] ^ k1, std::uint32_t(p0)};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

/// Uniform in [0, 1) with 24 bits.
TENON_HD inline float uniform_from_bits(std::uint32_t bits) { return float(bits >> 8) * 5.9604644775390625e-08f; }

class Random {
 public:
  TENON_HD Random(std::uint64_t seed, std::uint64_t stream) : seed_(seed), stream_(stream) {}

  /// Four independent words at `index`.
  TENON_HD std::array<std::uint32_t, 4> bits(std::uint64_t index) const {
    return philox4x32({std::uint32_t(index), std::uint32_t(index >> 32), std::uint32_t(stream_), std::uint32_t(stream_ >> 32)},
                      std::uint32_t(seed_), std::uint32_t(seed_ >> 32));
  }
  TENON_HD float uniform(std::uint64_t index) const { return uniform_from_bits(bits(index)[0]); }
  TENON_HD float uniform(std::uint64_t index, float low, float high) const { return low + (high - low) * uniform(index); }
  /// Standard normal (Box-Muller, first of the pair).
  TENON_HD float normal(std::uint64_t index) const {
    auto b = bits(index);
    float u = (float(b[0] >> 8) + 0.5f) * 5.9604644775390625e-08f;
    return std::sqrt(-2.0f * std::log(u)) * std::cos(6.28318530717958647692f * uniform_from_bits(b[1]));
  }
  /// Integer in [0, n), n >= 1, by multiplication of 64 random bits (bias < n / 2^64).
  TENON_HD std::uint64_t below(std::uint64_t index, std::uint64_t n) const {
    auto b = bits(index);
    __extension__ using u128 = unsigned __int128;
    return std::uint64_t((u128((std::uint64_t(b[0]) << 32) | b[1]) * n) >> 64);
  }
  /// An independent generator below this one.
  TENON_HD Random child(std::uint64_t id) const {
    auto b = philox4x32({std::uint32_t(id), std::uint32_t(id >> 32), 0x7e1105u, 0u}, std::uint32_t(stream_), std::uint32_t(stream_ >> 32));
    return {seed_, (std::uint64_t(b[0]) << 32) | b[1]};
  }
  TENON_HD std::uint64_t seed() const { return seed_; }
  TENON_HD std::uint64_t stream() const { return stream_; }

 private:
  std::uint64_t seed_, stream_;
};

}  // namespace tenon
