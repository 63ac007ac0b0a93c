/// Complex numbers in kernels, host and device, stored as std::complex stores them: the real part, then the imaginary part.
#pragma once

#include <cmath>
#include <type_traits>

#include "kernels/types.hpp"

namespace tenon::kernels {

template <class T>
struct Complex {
  T re, im;
};

template <class T>
inline constexpr bool is_complex_v = false;
template <class T>
inline constexpr bool is_complex_v<Complex<T>> = true;

template <class T>
TENON_MATHS Complex<T> operator+(Complex<T> a, Complex<T> b) {
  return {a.re + b.re, a.im + b.im};
}
template <class T>
TENON_MATHS Complex<T> operator-(Complex<T> a, Complex<T> b) {
  return {a.re - b.re, a.im - b.im};
}
template <class T>
TENON_MATHS Complex<T> operator-(Complex<T> a) {
  return {-a.re, -a.im};
}
template <class T>
TENON_MATHS Complex<T> operator*(Complex<T> a, Complex<T> b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
template <class T>
TENON_MATHS Complex<T> operator*(Complex<T> a, T b) {
  return {a.re * b, a.im * b};
}
template <class T>
TENON_MATHS bool operator==(Complex<T> a, Complex<T> b) {
  return a.re == b.re && a.im == b.im;
}
template <class T>
TENON_MATHS bool operator!=(Complex<T> a, Complex<T> b) {
  return !(a == b);
}

/// Smith's division (1962): no square of b, which could overflow or vanish.
template <class T>
TENON_MATHS Complex<T> operator/(Complex<T> a, Complex<T> b) {
  if (std::fabs(b.re) >= std::fabs(b.im)) {
    const T r = b.im / b.re, d = b.re + b.im * r;
    return {(a.re + a.im * r) / d, (a.im - a.re * r) / d};
  }
  const T r = b.re / b.im, d = b.re * r + b.im;
  return {(a.re * r + a.im) / d, (a.im * r - a.re) / d};
}

template <class T>
TENON_MATHS Complex<T> exp_of(Complex<T> z) {
  const T size = std::exp(z.re);
  return z.im == 0 ? Complex<T>{size, z.im} : Complex<T>{size * std::cos(z.im), size * std::sin(z.im)};
}

/// Principal branch: the imaginary part in (-pi, pi].
template <class T>
TENON_MATHS Complex<T> log_of(Complex<T> z) {
  return {std::log(std::hypot(z.re, z.im)), std::atan2(z.im, z.re)};
}

/// Principal branch: the real part is not negative.
template <class T>
TENON_MATHS Complex<T> sqrt_of(Complex<T> z) {
  const T size = std::hypot(z.re, z.im);
  if (size == 0) return {T(0), z.im};
  const T u = std::sqrt((size + std::fabs(z.re)) / 2), v = std::fabs(z.im) / (2 * u);
  return z.re >= 0 ? Complex<T>{u, std::copysign(v, z.im)} : Complex<T>{v, std::copysign(u, z.im)};
}

template <class T>
TENON_MATHS Complex<T> sin_of(Complex<T> z) {
  return {std::sin(z.re) * std::cosh(z.im), std::cos(z.re) * std::sinh(z.im)};
}
template <class T>
TENON_MATHS Complex<T> cos_of(Complex<T> z) {
  return {std::cos(z.re) * std::cosh(z.im), -std::sin(z.re) * std::sinh(z.im)};
}
template <class T>
TENON_MATHS Complex<T> sinh_of(Complex<T> z) {
  return {std::sinh(z.re) * std::cos(z.im), std::cosh(z.re) * std::sin(z.im)};
}
template <class T>
TENON_MATHS Complex<T> cosh_of(Complex<T> z) {
  return {std::cosh(z.re) * std::cos(z.im), std::sinh(z.re) * std::sin(z.im)};
}

/// From tanh of the real and tan of the imaginary part (Kahan 1987), which does not overflow.
template <class T>
TENON_MATHS Complex<T> tanh_of(Complex<T> z) {
  if (std::fabs(z.re) > T(20)) {
    const T s = std::sin(2 * z.im), small = 2 * s * std::exp(-2 * std::fabs(z.re));
    return {std::copysign(T(1), z.re), small};
  }
  const T t = std::tan(z.im), beta = 1 + t * t, s = std::sinh(z.re), rho = std::sqrt(1 + s * s);
  if (std::isinf(t)) return {rho / s, 1 / t};
  const T d = 1 + beta * s * s;
  return {beta * rho * s / d, t / d};
}

/// z^a by its principal logarithm; small whole powers by multiplication, 0^a = 0 for a > 0.
template <class T>
TENON_MATHS Complex<T> pow_of(Complex<T> z, T a) {
  const Complex<T> one{T(1), T(0)};
  if (a == 0) return one;
  if (a == 1) return z;
  if (a == 2) return z * z;
  if (a == -1) return one / z;
  if (z.re == 0 && z.im == 0 && a > 0) return {T(0), T(0)};
  return exp_of(log_of(z) * a);
}

}  // namespace tenon::kernels
