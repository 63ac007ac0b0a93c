#include "ops/activation_loops.hpp"

#define TENON_ISA_FILE "ops/simd/maths.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {

using kernels::Binary;
using kernels::Unary;

/// Powers of f64 take a product's rounding error from one instruction; without it they are the C library's.
#ifdef __FMA__
constexpr bool kFused = true;
#else
constexpr bool kFused = false;
#endif

template <>
UnaryLoop<double> fast_loop<double>(Unary kind) {
  switch (kind) {
    case Unary::exp: return TENON_BY_ISA(exp_range);
    case Unary::expm1: return TENON_BY_ISA(expm1_range);
    case Unary::log: return TENON_BY_ISA(log_range);
    case Unary::log1p: return TENON_BY_ISA(log1p_range);
    case Unary::sin: return TENON_BY_ISA(sin_range);
    case Unary::cos: return TENON_BY_ISA(cos_range);
    case Unary::tan: return TENON_BY_ISA(tan_range);
    case Unary::asin: return TENON_BY_ISA(asin_range);
    case Unary::acos: return TENON_BY_ISA(acos_range);
    case Unary::atan: return TENON_BY_ISA(atan_range);
    case Unary::sinh: return TENON_BY_ISA(sinh_range);
    case Unary::cosh: return TENON_BY_ISA(cosh_range);
    case Unary::tanh: return TENON_BY_ISA(tanh_range);
    case Unary::erf: return TENON_BY_ISA(erf_range);
    case Unary::digamma: return TENON_BY_ISA(digamma_range);
    case Unary::trigamma: return TENON_BY_ISA(trigamma_range);
    case Unary::sigmoid: return TENON_BY_ISA(sigmoid_range);
    case Unary::silu: return TENON_BY_ISA(silu_range);
    case Unary::softplus: return TENON_BY_ISA(softplus_range);
    case Unary::elu: return TENON_BY_ISA(elu_range);
    case Unary::elu_d1: return TENON_BY_ISA(elu_slope_range);
    case Unary::gelu: return TENON_BY_ISA(gelu_range);
    case Unary::gelu_d1: return TENON_BY_ISA(gelu_slope_range);
    case Unary::sqrt: return TENON_BY_ISA(square_root_range);
    case Unary::rsqrt: return TENON_BY_ISA(inverse_root_range);
    case Unary::power: return kFused || isa_level() > 0 ? TENON_BY_ISA(power_range) : nullptr;
    default: return nullptr;
  }
}

template <>
BinaryLoop<double> fast_loop<double>(Binary kind) {
  switch (kind) {
    case Binary::pow: return kFused || isa_level() > 0 ? TENON_BY_ISA(pow_range) : nullptr;
    case Binary::atan2: return TENON_BY_ISA(atan2_range);
    case Binary::hypot: return TENON_BY_ISA(hypot_range);
    case Binary::gelu_gradient: return TENON_BY_ISA(gelu_gradient_range);
    default: return nullptr;
  }
}

UnaryLoop<float> gamma_loop(Unary kind) {
  switch (kind) {
    case Unary::lgamma: return TENON_BY_ISA(lgamma_f32_range);
    case Unary::digamma: return TENON_BY_ISA(digamma_f32_range);
    case Unary::trigamma: return TENON_BY_ISA(trigamma_f32_range);
    default: return nullptr;
  }
}

}  // namespace tenon
