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

}  // namespace tenon::cuda
