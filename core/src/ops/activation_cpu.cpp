#include "ops/activation_loops.hpp"

#define TENON_ISA_FILE "ops/simd/activation.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {

using kernels::Binary;
using kernels::Unary;

template <>
UnaryLoop<float> fast_loop<float>(Unary kind) {
  switch (kind) {
    TENON_RANGES_OF_BOTH(TENON_RANGE_CASE)
    TENON_RANGE_CASE(erf)
    TENON_RANGE_CASE(gelu)
    TENON_RANGE_CASE(gelu_d1)
    TENON_RANGE_CASE(gelu_tanh)
    TENON_RANGE_CASE(gelu_tanh_d1)
    TENON_RANGE_CASE(power)
    default: return gamma_loop(kind);
  }
}

template <>
BinaryLoop<float> fast_loop<float>(Binary kind) {
  switch (kind) {
    case Binary::pow: return TENON_BY_ISA(pow_range);
    case Binary::atan2: return TENON_BY_ISA(atan2_range);
    case Binary::hypot: return TENON_BY_ISA(hypot_range);
    case Binary::gelu_gradient: return TENON_BY_ISA(gelu_gradient_range);
    case Binary::gelu_tanh_gradient: return TENON_BY_ISA(gelu_tanh_gradient_range);
    default: return nullptr;
  }
}

}  // namespace tenon
