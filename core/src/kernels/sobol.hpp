/// Sobol's sequence and Owen's scrambling: the maths of one coordinate (private).
#pragma once

#include <cstdint>

#include "kernels/types.hpp"
#include "tenon/random.hpp"

namespace tenon {

inline constexpr int kSobolBits = 32;

/// Coordinate of point `index` as 32 bits after the binary point. `directions`: the dimension's 32 direction numbers, `step` apart. Points
/// come in the order of the Gray code (Antonov and Saleev 1979).
TENON_MATHS std::uint32_t sobol_bits(const std::uint32_t* directions, std::uint32_t index, std::int64_t step = 1) {
  std::uint32_t gray = index ^ (index >> 1), x = 0;
  for (int bit = 0; gray != 0; ++bit, gray >>= 1)
    if (gray & 1u) x ^= directions[bit * step];
  return x;
}

/// Nested uniform scrambling (Owen 1995), exact: each digit is flipped or not by a coin that belongs to the digits before it. The coins of
/// seven levels below a node, 127 of them, are the bits of one Philox block.
TENON_MATHS std::uint32_t owen_scramble(std::uint32_t x, const Random& random, std::uint32_t dimension) {
  constexpr int kLevels = 7;
  std::uint32_t flips = 0;
  for (int level = 0; level < kSobolBits; level += kLevels) {
    const std::uint32_t prefix = level == 0 ? 0 : x >> (kSobolBits - level);
    const auto coins = random.bits(std::uint64_t(dimension) << 35 | std::uint64_t(level / kLevels) << 32 | prefix);
    std::uint32_t node = 1;  // of the tree below the prefix, counted as in a heap: its coin is bit `node` of the block
    for (int digit = level; digit < level + kLevels && digit < kSobolBits; ++digit) {
      const int place = kSobolBits - 1 - digit;
      flips |= (coins[node >> 5] >> (node & 31u) & 1u) << place;
      node = node << 1 | (x >> place & 1u);
    }
  }
  return x ^ flips;
}

/// [0, 1): f32 keeps the leading 24 bits, so that nothing rounds up to 1.
template <class T>
TENON_MATHS T unit_interval(std::uint32_t bits);
template <>
TENON_MATHS float unit_interval<float>(std::uint32_t bits) {
  return float(bits >> 8) * 5.9604644775390625e-08f;
}
template <>
TENON_MATHS double unit_interval<double>(std::uint32_t bits) {
  return double(bits) * 2.3283064365386962890625e-10;
}

}  // namespace tenon
