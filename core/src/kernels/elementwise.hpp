/// The maths of elementwise ops, written once for the CPU loops and the CUDA kernels.
///
/// Each functor works in `float` (for f32, f16, bf16), `double` (f64), `std::int64_t` (integers) or a Complex; rounding to
/// the stored type is the executor's.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "kernels/activation.hpp"
#include "kernels/complex.hpp"
#include "tenon/dtype.hpp"

namespace tenon::kernels {

enum class Binary { add, sub, mul, div, maximum, minimum, pow, atan2, hypot, relu_gradient, gelu_gradient, gelu_tanh_gradient, equal, less, greater, not_equal, less_equal, greater_equal };
constexpr bool is_comparison(Binary k) { return k >= Binary::equal; }
enum class Unary { neg, abs, exp, expm1, log, log1p, sqrt, rsqrt, square, sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, erf, lgamma, digamma, trigamma, tetragamma, floor, ceil, round, sigmoid, sign, relu, leaky, leaky_step, elu, elu_d1, gelu, gelu_d1, gelu_tanh, gelu_tanh_d1, silu, softplus, clamp, clamp_step, conj, scale, shift, power };

/// What complex numbers have, too.
constexpr bool has_complex(Binary k) {
  return k <= Binary::div || k == Binary::equal || k == Binary::not_equal;
}
constexpr bool has_complex(Unary k) {
  switch (k) {
    case Unary::neg: case Unary::exp: case Unary::log: case Unary::sqrt: case Unary::rsqrt: case Unary::square: case Unary::sin: case Unary::cos: case Unary::sinh: case Unary::cosh:
    case Unary::tanh: case Unary::conj: case Unary::scale: case Unary::shift: case Unary::power: return true;
    default: return false;
  }
}

/// Parameters of a unary op: slope, bounds, factor, exponent.
struct UnaryArgs {
  double a = 0, b = 0;
};

/// Computes in the type the executor loads; NaN goes through maximum and minimum.
template <Binary K> struct BinaryOp {
  template <class T> TENON_HD auto operator()(T x, T y) const {
    if constexpr (std::is_same_v<T, std::int64_t> && K <= Binary::mul) {  // integers wrap
      const auto u = std::uint64_t(x), v = std::uint64_t(y);
      return T(K == Binary::add ? u + v : K == Binary::sub ? u - v : u * v);
    }
    else if constexpr (K == Binary::add) return T(x + y);
    else if constexpr (K == Binary::sub) return T(x - y);
    else if constexpr (K == Binary::mul) return T(x * y);
    else if constexpr (K == Binary::div) {
      // integers: 0 for division by 0; the smallest number over -1 wraps (both would trap)
      if constexpr (std::is_integral_v<T>) return y == 0 ? T(0) : y == -1 ? T(0u - std::make_unsigned_t<T>(x)) : T(x / y);
      else return T(x / y);
    }
    else if constexpr (K == Binary::maximum) return (x > y || x != x) ? x : y;
    else if constexpr (K == Binary::minimum) return (x < y || x != x) ? x : y;
    else if constexpr (K == Binary::pow) {
      if constexpr (std::is_integral_v<T>) return T(std::pow(double(x), double(y)));
      else return T(std::pow(x, y));
    }
    else if constexpr (K == Binary::atan2) {
      if constexpr (std::is_integral_v<T>) return T(std::atan2(double(x), double(y)));
      else return T(std::atan2(x, y));
    }
    else if constexpr (K == Binary::hypot) {
      if constexpr (std::is_integral_v<T>) return T(std::hypot(double(x), double(y)));
      else return T(std::hypot(x, y));
    }
    // x, d_y -> d_x: an activation's gradient in one pass
    else if constexpr (K == Binary::relu_gradient) return x > 0 ? y : T(0);
    else if constexpr (K == Binary::gelu_gradient) {
      if constexpr (std::is_integral_v<T>) return T(0);
      else return T(y * gelu_slope(x));
    }
    else if constexpr (K == Binary::gelu_tanh_gradient) {
      if constexpr (std::is_integral_v<T>) return T(0);
      else return T(y * gelu_tanh_slope(x));
    }
    else if constexpr (K == Binary::equal) return x == y;
    else if constexpr (K == Binary::less) return x < y;
    else if constexpr (K == Binary::greater) return x > y;
    else if constexpr (K == Binary::not_equal) return x != y;
    else if constexpr (K == Binary::less_equal) return x <= y;
    else return x >= y;
  }
};

template <class T> TENON_HD T sigmoid_of(T x) {
  // exp of a non-positive number on both sides: no overflow
  T e = exp_fast(x < 0 ? x : -x);
  return (x < 0 ? e : T(1)) / (T(1) + e);
}

/// log |gamma(x)|. The C library's lgamma writes its sign to a global, which threads must not share.
TENON_HD inline double log_gamma_of(double x) {
#if defined(__CUDA_ARCH__)
  return ::lgamma(x);
#else
  int sign;
  return ::lgamma_r(x, &sign);
#endif
}

/// First (order 0), second or third derivative of log gamma, in double: reflected from the left half of the line, carried up by
/// its recurrence to where the asymptotic series (Abramowitz and Stegun 6.3.18, 6.4.12, 6.4.13) has 15 digits.
template <int Order> TENON_HD double polygamma_of(double x) {
  constexpr double kPi = 3.14159265358979323846;
  if (x <= 0 && x == std::floor(x)) return Order == 1 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  double mirrored = 0, sign = 1;
  if (x < 0.5) {
    const double s = std::sin(kPi * x), c = std::cos(kPi * x);
    mirrored = Order == 0 ? -kPi * c / s : Order == 1 ? kPi * kPi / (s * s) : -2 * kPi * kPi * kPi * c / (s * s * s);
    sign = Order == 1 ? -1 : 1;
    x = 1 - x;
  }
  double carried = 0;
  for (; x < 10; x += 1) carried += Order == 0 ? -1 / x : Order == 1 ? 1 / (x * x) : -2 / (x * x * x);
  const double r = 1 / x, q = r * r;
  const double series = Order == 0 ? std::log(x) - 0.5 * r - q * (1.0 / 12 - q * (1.0 / 120 - q * (1.0 / 252 - q * (1.0 / 240 - q * (1.0 / 132 - q * (691.0 / 32760 - q / 12))))))
                     : Order == 1 ? r + 0.5 * q + r * q * (1.0 / 6 - q * (1.0 / 30 - q * (1.0 / 42 - q * (1.0 / 30 - q * (5.0 / 66 - q * (691.0 / 2730 - q * 7 / 6))))))
                                  : -q * (1 + r + q * (1.0 / 2 - q * (1.0 / 6 - q * (1.0 / 6 - q * (3.0 / 10 - q * (5.0 / 6 - q * (691.0 / 210 - q * 35 / 2)))))));
  return mirrored + sign * (carried + series);
}

template <Unary K> struct UnaryOp {
  UnaryArgs args;
  template <class T> TENON_HD Complex<T> operator()(Complex<T> z) const {
    static_assert(has_complex(K));
    if constexpr (K == Unary::neg) return -z;
    else if constexpr (K == Unary::exp) return exp_of(z);
    else if constexpr (K == Unary::log) return log_of(z);
    else if constexpr (K == Unary::sqrt) return sqrt_of(z);
    else if constexpr (K == Unary::rsqrt) return Complex<T>{T(1), T(0)} / sqrt_of(z);
    else if constexpr (K == Unary::square) return z * z;
    else if constexpr (K == Unary::sin) return sin_of(z);
    else if constexpr (K == Unary::cos) return cos_of(z);
    else if constexpr (K == Unary::sinh) return sinh_of(z);
    else if constexpr (K == Unary::cosh) return cosh_of(z);
    else if constexpr (K == Unary::tanh) return tanh_of(z);
    else if constexpr (K == Unary::conj) return {z.re, -z.im};
    else if constexpr (K == Unary::scale) return z * T(args.a);
    else if constexpr (K == Unary::shift) return {z.re + T(args.a), z.im};
    else return pow_of(z, T(args.a));
  }
  template <class T>
    requires std::is_floating_point_v<T>
  TENON_HD T operator()(T x) const {
    const T a = T(args.a), b = T(args.b);
    if constexpr (K == Unary::neg) return -x;
    else if constexpr (K == Unary::abs) return std::fabs(x);
    else if constexpr (K == Unary::exp) return exp_fast(x);
    else if constexpr (K == Unary::expm1) return std::expm1(x);
    else if constexpr (K == Unary::log) return std::log(x);
    else if constexpr (K == Unary::log1p) return std::log1p(x);
    else if constexpr (K == Unary::sqrt) return std::sqrt(x);
    else if constexpr (K == Unary::rsqrt) return T(1) / std::sqrt(x);
    else if constexpr (K == Unary::square) return x * x;
    else if constexpr (K == Unary::sin) return std::sin(x);
    else if constexpr (K == Unary::cos) return std::cos(x);
    else if constexpr (K == Unary::tan) return std::tan(x);
    else if constexpr (K == Unary::asin) return std::asin(x);
    else if constexpr (K == Unary::acos) return std::acos(x);
    else if constexpr (K == Unary::atan) return std::atan(x);
    else if constexpr (K == Unary::sinh) return std::sinh(x);
    else if constexpr (K == Unary::cosh) return std::cosh(x);
    else if constexpr (K == Unary::tanh) return tanh_fast(x);
    else if constexpr (K == Unary::erf) return erf_fast(x);
    else if constexpr (K == Unary::lgamma) return T(log_gamma_of(double(x)));
    else if constexpr (K == Unary::digamma) return T(polygamma_of<0>(double(x)));
    else if constexpr (K == Unary::trigamma) return T(polygamma_of<1>(double(x)));
    else if constexpr (K == Unary::tetragamma) return T(polygamma_of<2>(double(x)));
    else if constexpr (K == Unary::floor) return std::floor(x);
    else if constexpr (K == Unary::ceil) return std::ceil(x);
    else if constexpr (K == Unary::round) return std::rint(x);
    else if constexpr (K == Unary::sigmoid) return sigmoid_of(x);
    else if constexpr (K == Unary::sign) return x > 0 ? T(1) : x < 0 ? T(-1) : T(0);
    else if constexpr (K == Unary::relu) return x < 0 ? T(0) : x;
    else if constexpr (K == Unary::leaky) return x > 0 ? x : a * x;
    else if constexpr (K == Unary::leaky_step) return x > 0 ? T(1) : a;
    else if constexpr (K == Unary::elu) return x > 0 ? x : a * std::expm1(x);
    else if constexpr (K == Unary::elu_d1) return x > 0 ? T(1) : a * exp_fast(x);
    else if constexpr (K == Unary::gelu) return gelu_fast(x);
    else if constexpr (K == Unary::gelu_d1) return gelu_slope(x);
    else if constexpr (K == Unary::gelu_tanh) return gelu_tanh_fast(x);
    else if constexpr (K == Unary::gelu_tanh_d1) return gelu_tanh_slope(x);
    else if constexpr (K == Unary::silu) return x * sigmoid_of(x);
    else if constexpr (K == Unary::softplus) return (x > 0 ? x : T(0)) + std::log1p(std::exp(x < 0 ? x : -x));
    else if constexpr (K == Unary::clamp) return x < a ? a : x > b ? b : x;
    else if constexpr (K == Unary::clamp_step) return x < a || x > b ? T(0) : T(1);
    else if constexpr (K == Unary::conj) return x;
    else if constexpr (K == Unary::scale) return x * a;
    else if constexpr (K == Unary::shift) return x + a;
    else return T(std::pow(x, a));
  }
};

/// The type in which a stored type is computed.
template <class T> using Computed =
    std::conditional_t<std::is_same_v<T, double> || is_complex_v<T>, T, std::conditional_t<std::is_integral_v<T>, std::int64_t, float>>;

}  // namespace tenon::kernels
