/// Random numbers of many elements at once: the maths of Philox 4x32-10 (tenon/random.hpp) in lanes.
///
/// `philox_first<N>` gives words 0 and 1 of the blocks at `index` .. `index + N - 1`, the same bits as Random::bits.
#pragma once

#include <cstdint>

#include "kernels/types.hpp"

namespace tenon {

template <int N>
TENON_MATHS void philox_first(std::uint64_t seed, std::uint64_t stream, std::uint64_t index, std::uint32_t* word0, std::uint32_t* word1) {
  std::uint32_t c0[N], c1[N], c2[N], c3[N];
  for (int i = 0; i < N; ++i) {
    c0[i] = std::uint32_t(index + std::uint64_t(i));
    c1[i] = std::uint32_t((index + std::uint64_t(i)) >> 32);
    c2[i] = std::uint32_t(stream);
    c3[i] = std::uint32_t(stream >> 32);
  }
  std::uint32_t k0 = std::uint32_t(seed), k1 = std::uint32_t(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < N; ++i) {
      std::uint64_t p0 = std::uint64_t(0xD2511F53u) * c0[i], p1 = std::uint64_t(0xCD9E8D57u) * c2[i];
      std::uint32_t next0 = std::uint32_t(p1 >> 32) ^ c1[i] ^ k0, next2 = std::uint32_t(p0 >> 32) ^ c3[i] ^ k1;
      c0[i] = next0, c1[i] = std::uint32_t(p1), c2[i] = next2, c3[i] = std::uint32_t(p0);
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (int i = 0; i < N; ++i) word0[i] = c0[i], word1[i] = c1[i];
}

}  // namespace tenon
