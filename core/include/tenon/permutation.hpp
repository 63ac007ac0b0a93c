/// A random permutation of [0, n) that is computed, not stored: element k costs O(1) and no memory.
///
/// Above 32 elements it is a balanced Feistel network over the next power of four, with Philox as its round function; values past n are
/// sent round again until they fall below it (cycle walking, Black and Rogaway 2002: fewer than 4 walks on average), which keeps it a
/// bijection of [0, n). Up to 32 elements, where a network of few bits does not reach every order, it is Fisher and Yates's shuffle, in
/// which all orders are equally likely. A cheap value; safe from any thread.
#pragma once

#include <cstdint>

#include "tenon/random.hpp"

namespace tenon {

class Permutation {
 public:
  /// n >= 0. The permutation depends on n and on the seed and stream of `random`.
  TENON_HD Permutation(std::int64_t n, const Random& random) : n_(std::uint64_t(n)), random_(random) {
    while (half_ < 32 && n_ > std::uint64_t(1) << (2 * half_)) ++half_;
  }

  std::int64_t size() const { return std::int64_t(n_); }
  const Random& random() const { return random_; }
  /// Bits of half a block of the network.
  int half_bits() const { return half_; }

  static constexpr std::uint64_t kSmall = 32;  ///< the largest n that is shuffled
  static constexpr std::uint32_t kRounds = 8;

  /// Where k in [0, n) goes.
  TENON_HD std::int64_t operator()(std::int64_t k) const {
    if (n_ <= kSmall) return shuffled(k);
    std::uint64_t value = std::uint64_t(k);
    do value = encipher(value);
    while (value >= n_);
    return std::int64_t(value);
  }

 private:
  TENON_HD std::uint64_t encipher(std::uint64_t value) const {
    const std::uint64_t mask = (std::uint64_t(1) << half_) - 1;
    std::uint64_t left = value >> half_, right = value & mask;
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      const std::uint64_t mixed = left ^ (random_.bits(round << 32 | right)[0] & mask);
      left = right;
      right = mixed;
    }
    return left << half_ | right;
  }

  TENON_HD std::int64_t shuffled(std::int64_t k) const {
    std::uint8_t order[kSmall];
    for (std::uint64_t i = 0; i < n_; ++i) {
      const auto words = random_.bits(i);
      // 32 bits times at most 32: the bias is below 2^-27
      const std::uint64_t j = words[0] * (i + 1) >> 32;
      if (j != i) order[i] = order[j];
      order[j] = std::uint8_t(i);
    }
    return order[k];
  }

  std::uint64_t n_;
  int half_ = 1;
  Random random_;
};

}  // namespace tenon
