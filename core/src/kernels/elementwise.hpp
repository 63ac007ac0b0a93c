/// The maths of elementwise ops, written once for the CPU loops and the CUDA kernels.
///
/// Each functor works in `float` (for f32, f16, bf16), `double` (f64) or `std::int64_t` (integers); rounding to
/// the stored type is the executor's.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "tenon/dtype.hpp"

namespace tenon::kernels {

enum class Binary { add, sub, mul, div, maximum, minimum, pow, equal, less, greater };
enum class Unary { neg, abs, exp, log, sqrt, rsqrt, square, sin, cos, tanh, sigmoid, sign, relu, leaky, leaky_step, elu, elu_d1, gelu, gelu_d1, silu, softplus, clamp, clamp_step, scale, shift, power };

/// Parameters of a unary op: slope, bounds, factor, exponent.
struct UnaryArgs {
  double a = 0, b = 0;
};

/// Computes in the type the executor loads; NaN goes through maximum and minimum.
template <Binary K> struct BinaryOp {
  template <class T> TENON_HD auto operator()(T x, T y) const {
    if constexpr (K == Binary::add) return T(x + y);
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
    else if constexpr (K == Binary::equal) return x == y;
    else if constexpr (K == Binary::less) return x < y;
    else return x > y;
  }
};

template <class T> TENON_HD T sigmoid_of(T x) {
  // exp of a non-positive number on both sides: no overflow
  T e = std::exp(x < 0 ? x : -x);
  return (x < 0 ? e : T(1)) / (T(1) + e);
}

template <Unary K> struct UnaryOp {
  UnaryArgs args;
  template <class T> TENON_HD T operator()(T x) const {
    const T a = T(args.a), b = T(args.b);
    constexpr T kInvSqrt2 = T(0.70710678118654752440), kInvSqrt2Pi = T(0.39894228040143267794);
    if constexpr (K == Unary::neg) return -x;
    else if constexpr (K == Unary::abs) return std::fabs(x);
    else if constexpr (K == Unary::exp) return std::exp(x);
    else if constexpr (K == Unary::log) return std::log(x);
    else if constexpr (K == Unary::sqrt) return std::sqrt(x);
    else if constexpr (K == Unary::rsqrt) return T(1) / std::sqrt(x);
    else if constexpr (K == Unary::square) return x * x;
    else if constexpr (K == Unary::sin) return std::sin(x);
    else if constexpr (K == Unary::cos) return std::cos(x);
    else if constexpr (K == Unary::tanh) return std::tanh(x);
    else if constexpr (K == Unary::sigmoid) return sigmoid_of(x);
    else if constexpr (K == Unary::sign) return x > 0 ? T(1) : x < 0 ? T(-1) : T(0);
    else if constexpr (K == Unary::relu) return x < 0 ? T(0) : x;
    else if constexpr (K == Unary::leaky) return x > 0 ? x : a * x;
    else if constexpr (K == Unary::leaky_step) return x > 0 ? T(1) : a;
    else if constexpr (K == Unary::elu) return x > 0 ? x : a * std::expm1(x);
    else if constexpr (K == Unary::elu_d1) return x > 0 ? T(1) : a * std::exp(x);
    else if constexpr (K == Unary::gelu) return T(0.5) * x * (T(1) + std::erf(x * kInvSqrt2));
    else if constexpr (K == Unary::gelu_d1) return T(0.5) * (T(1) + std::erf(x * kInvSqrt2)) + x * kInvSqrt2Pi * std::exp(T(-0.5) * x * x);
    else if constexpr (K == Unary::silu) return x * sigmoid_of(x);
    else if constexpr (K == Unary::softplus) return (x > 0 ? x : T(0)) + std::log1p(std::exp(x < 0 ? x : -x));
    else if constexpr (K == Unary::clamp) return x < a ? a : x > b ? b : x;
    else if constexpr (K == Unary::clamp_step) return x < a || x > b ? T(0) : T(1);
    else if constexpr (K == Unary::scale) return x * a;
    else if constexpr (K == Unary::shift) return x + a;
    else return T(std::pow(x, a));
  }
};

/// The type in which a stored type is computed.
template <class T> using Computed =
    std::conditional_t<std::is_same_v<T, double>, double, std::conditional_t<std::is_integral_v<T>, std::int64_t, float>>;

}  // namespace tenon::kernels
