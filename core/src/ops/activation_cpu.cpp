#include "ops/activation_loops.hpp"

#define TENON_ISA_FILE "ops/simd/activation.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {

const ActivationLoops& activation_loops() {
  static const ActivationLoops loops{TENON_BY_ISA(exp_range),     TENON_BY_ISA(expm1_range),   TENON_BY_ISA(log_range),          TENON_BY_ISA(log1p_range),
                                     TENON_BY_ISA(sin_range),     TENON_BY_ISA(cos_range),     TENON_BY_ISA(tanh_range),         TENON_BY_ISA(sigmoid_range),
                                     TENON_BY_ISA(silu_range),    TENON_BY_ISA(softplus_range), TENON_BY_ISA(elu_range),         TENON_BY_ISA(elu_slope_range),
                                     TENON_BY_ISA(gelu_range),    TENON_BY_ISA(gelu_slope_range), TENON_BY_ISA(gelu_tanh_range), TENON_BY_ISA(gelu_tanh_slope_range), TENON_BY_ISA(square_root_range), TENON_BY_ISA(inverse_root_range),
                                     TENON_BY_ISA(power_range),   TENON_BY_ISA(gelu_gradient_range), TENON_BY_ISA(gelu_tanh_gradient_range)};
  return loops;
}

ActivationLoops::Range ActivationLoops::of(kernels::Unary kind) const {
  using kernels::Unary;
  switch (kind) {
    case Unary::exp: return exp;
    case Unary::expm1: return expm1;
    case Unary::log: return log;
    case Unary::log1p: return log1p;
    case Unary::sin: return sin;
    case Unary::cos: return cos;
    case Unary::tanh: return tanh;
    case Unary::sigmoid: return sigmoid;
    case Unary::silu: return silu;
    case Unary::softplus: return softplus;
    case Unary::elu: return elu;
    case Unary::elu_d1: return elu_slope;
    case Unary::gelu: return gelu;
    case Unary::gelu_d1: return gelu_slope;
    case Unary::gelu_tanh: return gelu_tanh;
    case Unary::gelu_tanh_d1: return gelu_tanh_slope;
    case Unary::sqrt: return sqrt;
    case Unary::rsqrt: return rsqrt;
    case Unary::power: return power;
    default: return nullptr;
  }
}

ActivationLoops::Gradient ActivationLoops::of(kernels::Binary kind) const {
  if (kind == kernels::Binary::gelu_gradient) return gelu_gradient;
  if (kind == kernels::Binary::gelu_tanh_gradient) return gelu_tanh_gradient;
  return nullptr;
}

}  // namespace tenon
