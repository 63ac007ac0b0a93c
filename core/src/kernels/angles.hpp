/// Inverse trigonometric functions and hypot of f32 and f64 without calls or branches, for loops that compilers vectorise (private; CPU
/// loops only).
///
/// Errors measured: tests/core/ops/isa_activation_test.cpp, isa_maths_test.cpp. NaN stays, zeros keep their sign, infinities have their
/// angles.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "kernels/types.hpp"

namespace tenon {

template <class T>
TENON_MATHS T size_of_number(T x) {
  if constexpr (std::is_same_v<T, float>)
    return __builtin_fabsf(x);
  else
    return __builtin_fabs(x);
}
TENON_MATHS float with_sign_of(float size, float sign) {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(size) | (std::bit_cast<std::uint32_t>(sign) & 0x80000000u));
}
TENON_MATHS double with_sign_of(double size, double sign) {
  constexpr std::uint64_t kSign = std::uint64_t(1) << 63;
  return std::bit_cast<double>(std::bit_cast<std::uint64_t>(size) | (std::bit_cast<std::uint64_t>(sign) & kSign));
}

/// pi / 2 as a sum.
template <class T>
inline constexpr T kHalfPi = T(1.57079632679489661923);
template <class T>
inline constexpr T kHalfPiLow = std::is_same_v<T, float> ? T(-4.37113882867379e-08) : T(6.12323399573676603587e-17);

/// (atan(t) - t) / t of z = t^2, 0 <= t <= 1.
TENON_MATHS double atan_rest(double z) {
  double p = 1.32243925177864276e-05;
  p = p * z - 1.52154276428344374e-04;
  p = p * z + 8.31292628180837611e-04;
  p = p * z - 2.88483954465381352e-03;
  p = p * z + 7.19635829356784096e-03;
  p = p * z - 1.39003689001797916e-02;
  p = p * z + 2.19846666029690531e-02;
  p = p * z - 2.99037215647613153e-02;
  p = p * z + 3.66418354136348115e-02;
  p = p * z - 4.21917586083624466e-02;
  p = p * z + 4.72232130426912741e-02;
  p = p * z - 5.25351837525057375e-02;
  p = p * z + 5.88052779843308421e-02;
  p = p * z - 6.66640405948873693e-02;
  p = p * z + 7.69227984018542449e-02;
  p = p * z - 9.09090700313304051e-02;
  p = p * z + 1.11111110070383587e-01;
  p = p * z - 1.42857142825756789e-01;
  p = p * z + 1.99999999999514733e-01;
  p = p * z - 3.33333333333330706e-01;
  return p * z;
}
TENON_MATHS float atan_rest(float z) {
  float p = -1.793581567e-03f;
  p = p * z + 1.091441851e-02f;
  p = p * z - 3.117747772e-02f;
  p = p * z + 5.795719797e-02f;
  p = p * z - 8.403425182e-02f;
  p = p * z + 1.095217625e-01f;
  p = p * z - 1.426423964e-01f;
  p = p * z + 1.999854807e-01f;
  p = p * z - 3.333329908e-01f;
  return p * z;
}
/// The angle of (x, y) by the quotient of the smaller over the larger size, which lies in [0, 1].
template <class T>
TENON_MATHS T atan2_of(T y, T x) {
  const T a = size_of_number(y), b = size_of_number(x);
  const bool steep = a > b, left = with_sign_of(T(1), x) < 0;
  const T small = steep ? b : a, large = steep ? a : b;
  const T quotient = small / large, t = large == 0 ? small : small == large ? T(1) : quotient;
  const T turned = with_sign_of(t + t * atan_rest(t * t), x);
  const T from_right = kHalfPiLow<T> - turned, from_top = (left ? 2 * kHalfPiLow<T> : T(0)) + turned;
  return with_sign_of(steep ? kHalfPi<T> + from_right : (left ? 2 * kHalfPi<T> : T(0)) + from_top, y);
}
template <class T>
TENON_MATHS T atan_of(T x) {
  const T a = size_of_number(x);
  const bool steep = a > 1;
  const T t = steep ? 1 / a : a, p = t + t * atan_rest(t * t);
  return with_sign_of(steep ? kHalfPi<T> + (kHalfPiLow<T> - p) : p, x);
}

/// asin(|x|) up to 1/2, and beyond what is taken from pi / 2: 2 asin(s), s = sqrt((1 - |x|) / 2).
TENON_MATHS double arc_of(double x) {
  const double a = __builtin_fabs(x);
  const bool beyond = a > 0.5;
  const double half = 0.5 - 0.5 * a, root = __builtin_sqrt(half), z = beyond ? half : a * a, s = a < root ? a : root;  // NaN beyond 1
  double p = 3.26770185182690201e-02;
  p = p * z - 2.10775080514616041e-02;
  p = p * z + 2.17636611028528271e-02;
  p = p * z + 3.68297027450901994e-03;
  p = p * z + 1.07865498256766654e-02;
  p = p * z + 1.13977718650384724e-02;
  p = p * z + 1.39809620213289902e-02;
  p = p * z + 1.73516000371838376e-02;
  p = p * z + 2.23722156638566511e-02;
  p = p * z + 3.03819426834674652e-02;
  p = p * z + 4.46428571751245756e-02;
  p = p * z + 7.49999999997025685e-02;
  p = p * z + 1.66666666666667629e-01;
  const double arc = s + s * (z * p);
  return beyond ? arc + arc : arc;
}
/// Of f32 in double.
TENON_MATHS double arc_of(float x) {
  const double a = __builtin_fabs(double(x));
  const bool beyond = a > 0.5;
  const double half = 0.5 - 0.5 * a, root = __builtin_sqrt(half), z = beyond ? half : a * a, s = a < root ? a : root;  // NaN beyond 1
  double p = 4.22195065518e-02;
  p = p * z + 2.41473729257e-02;
  p = p * z + 4.54770533136e-02;
  p = p * z + 7.49524314194e-02;
  p = p * z + 1.66667538613e-01;
  const double arc = s + s * (z * p);
  return beyond ? arc + arc : arc;
}
TENON_MATHS float asin_of(float x) {
  const double arc = arc_of(x);
  return with_sign_of(float(__builtin_fabsf(x) > 0.5f ? kHalfPi<double> - arc : arc), x);
}
TENON_MATHS double asin_of(double x) {
  const double arc = arc_of(x);
  return with_sign_of(__builtin_fabs(x) > 0.5 ? kHalfPi<double> + (kHalfPiLow<double> - arc) : arc, x);
}
template <class T>
TENON_MATHS T acos_of(T x) {
  const double arc = with_sign_of(arc_of(x), double(x)), pi = 2 * kHalfPi<double>, low = kHalfPiLow<double>;
  const double beyond = x < 0 ? pi + (2 * low + arc) : arc;
  return T(size_of_number(x) > T(0.5) ? beyond : kHalfPi<double> + (low - arc));
}

/// Scaled by a power of 2 to where no square leaves the normal range.
template <class T>
TENON_MATHS T hypot_of(T x, T y) {
  constexpr bool single = std::is_same_v<T, float>;
  constexpr T kLarge = single ? 0x1p60 : 0x1p500, kSmall = single ? 0x1p-50 : 0x1p-450, kDown = single ? 0x1p-70 : 0x1p-600,
              kUp = single ? 0x1p90 : 0x1p600;
  const T a = size_of_number(x), b = size_of_number(y), large = a > b ? a : b;
  const T scale = large > kLarge ? kDown : large < kSmall ? kUp : T(1), back = large > kLarge ? 1 / kDown : large < kSmall ? 1 / kUp : T(1);
  const T u = a * scale, v = b * scale, square = u * u + v * v;
  T size;
  if constexpr (single)
    size = __builtin_sqrtf(square);
  else
    size = __builtin_sqrt(square);
  constexpr T kInfinite = INFINITY;
  return (a == kInfinite) | (b == kInfinite) ? kInfinite : size * back;  // whatever the other is
}

}  // namespace tenon
