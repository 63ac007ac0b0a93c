/// Dense f32 loops of functions that cost much a value, for this CPU (private).
#pragma once

#include <cstdint>

#include "kernels/elementwise.hpp"

namespace tenon {

struct ActivationLoops {
  using Range = void (*)(kernels::UnaryArgs args, std::int64_t n, const float* x, float* y);
  Range exp, expm1, log, log1p, sin, cos, tanh, sigmoid, silu, softplus, elu, elu_slope, gelu, gelu_slope, gelu_tanh, gelu_tanh_slope, sqrt, rsqrt, power;
  using Gradient = void (*)(std::int64_t n, const float* x, const float* dy, float* dx);
  Gradient gelu_gradient, gelu_tanh_gradient;
  /// Null for functions whose plain loop is as good.
  Range of(kernels::Unary kind) const;
  Gradient of(kernels::Binary kind) const;
};
const ActivationLoops& activation_loops();

}  // namespace tenon
