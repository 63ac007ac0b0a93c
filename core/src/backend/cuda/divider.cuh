/// Division of 32-bit indices by a number known before the kernel starts (private).
#pragma once

#include <cstdint>

#include "tenon/dtype.hpp"

namespace tenon::cuda {

/// n / size for n < 2^31 and 1 <= size < 2^31 by a multiplication and a shift (Granlund and Montgomery 1994).
struct Divider {
  std::uint32_t size = 1, factor = 0, shift = 0;

  Divider() = default;
  explicit Divider(std::int64_t n) : size(std::uint32_t(n)) {
    while ((std::uint64_t(1) << shift) < size) ++shift;
    factor = std::uint32_t(((std::uint64_t(1) << 32) * ((std::uint64_t(1) << shift) - size)) / size + 1);
  }
  TENON_HD std::uint32_t divide(std::uint32_t n) const {
    const auto high = std::uint32_t((std::uint64_t(n) * factor) >> 32);
    return (high + n) >> shift;  // high <= n < 2^31: no overflow
  }
  /// The quotient; `n` becomes the remainder.
  TENON_HD std::uint32_t split(std::uint32_t& n) const {
    const std::uint32_t q = divide(n);
    n -= q * size;
    return q;
  }
};

/// The same for indices of any size: the slow division is used from 2^31 on only.
struct LongDivider {
  std::int64_t size = 1;
  Divider small;

  LongDivider() = default;
  explicit LongDivider(std::int64_t n) : size(n < 1 ? 1 : n), small(size < kLimit ? size : 1) {}
  TENON_HD std::int64_t split(std::int64_t& n) const {
    if (n < kLimit) {
      if (size >= kLimit) return 0;
      auto rest = std::uint32_t(n);
      const std::uint32_t q = small.split(rest);
      n = rest;
      return q;
    }
    const std::int64_t q = n / size;
    n -= q * size;
    return q;
  }

 private:
  static constexpr std::int64_t kLimit = std::int64_t(1) << 31;
};

}  // namespace tenon::cuda
