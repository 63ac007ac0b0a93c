/// Random numbers of many elements at once: the maths of Philox 4x32-10 (tenon/random.hpp) in lanes.
#pragma once

#include <cstdint>

#include "kernels/types.hpp"

namespace tenon {

/// Counters of a set of blocks, one a 64-bit lane; the upper halves hold leftovers that nothing reads.
template <class Wide>
struct PhiloxLanes {
  Wide c0, c1, c2, c3;
  std::uint32_t k0, k1;

  /// One of the ten rounds; p0 and p1 are the products of the low halves of c0 and c2 with the two multipliers.
  TENON_MATHS void mix(const Wide& p0, const Wide& p1) {
    c0 = (p1 >> 32) ^ c1 ^ std::uint64_t(k0);
    c1 = p1;
    c2 = (p0 >> 32) ^ c3 ^ std::uint64_t(k1);
    c3 = p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
};
inline constexpr std::uint32_t kPhiloxMultiplier0 = 0xD2511F53u, kPhiloxMultiplier1 = 0xCD9E8D57u;

}  // namespace tenon
