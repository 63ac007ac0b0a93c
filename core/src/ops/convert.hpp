/// Conversion between stored element types, the same on every device (private).
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "kernels/complex.hpp"
#include "tenon/dtype.hpp"

namespace tenon {

/// The float next to `v` towards zero with its last bit set where `v` lies between two floats: rounding the result to
/// 16 bits then gives what rounding `v` itself would (round to odd, Boldo and Melquiond 2008).
TENON_HD inline float round_to_odd(double v) {
  float f = float(v);
  if (double(f) == v || v != v) return f;
  auto bits = std::bit_cast<std::uint32_t>(f);
  if (std::fabs(double(f)) > std::fabs(v)) --bits;
  return std::bit_cast<float>(bits | 1u);
}

/// Float to integer: truncates, takes the nearest limit where the value is out of range, and 0 for NaN.
template <class To, class From> TENON_HD To truncate(From v) {
  constexpr To lowest = std::numeric_limits<To>::min(), highest = std::numeric_limits<To>::max();
  constexpr From low = From(lowest), past = From(highest / 2 + 1) * From(2);
  if (v != v) return To(0);
  return v <= low ? lowest : v >= past ? highest : static_cast<To>(v);
}

/// Integers wrap; a complex number becomes no real one (Tensor::to refuses), a real one gets the imaginary part 0; to bool, anything but zero is true; to 16-bit floats, one rounding to nearest even.
template <class To, class From> TENON_HD To convert(From v) {
  constexpr bool to_half = std::is_same_v<To, bf16> || std::is_same_v<To, f16>;
  if constexpr (std::is_same_v<To, From>) return v;
  else if constexpr (kernels::is_complex_v<To> && kernels::is_complex_v<From>) return {decltype(To::re)(v.re), decltype(To::re)(v.im)};
  else if constexpr (kernels::is_complex_v<To>) return {convert<decltype(To::re)>(v), 0};
  else if constexpr (std::is_same_v<From, bf16> || std::is_same_v<From, f16>) return convert<To>(float(v));
  else if constexpr (to_half && std::is_same_v<From, float>) return To(v);
  else if constexpr (to_half) return To(round_to_odd(double(v)));
  else if constexpr (std::is_same_v<To, bool>) return v != From(0);
  else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) return truncate<To>(v);
  else return static_cast<To>(v);
}

}  // namespace tenon
