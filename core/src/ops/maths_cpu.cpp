#include "ops/activation_loops.hpp"

#define TENON_ISA_FILE "ops/simd/maths.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {

using kernels::Binary;
using kernels::Unary;

namespace {

/// Where vectors are short and products are rounded before they are added, these are no faster than the C library's.
bool long_ones_pay() {
#ifdef __FMA__
  return true;
#else
  return isa_level() > 0;
#endif
}

UnaryLoop<double> long_loop(Unary kind) {
  switch (kind) {
    TENON_RANGE_CASE(erf)
    TENON_RANGE_CASE(gelu)
    TENON_RANGE_CASE(gelu_d1)
    TENON_RANGE_CASE(power)
    default: return nullptr;
  }
}

}  // namespace

template <>
UnaryLoop<double> fast_loop<double>(Unary kind) {
  switch (kind) {
    TENON_RANGES_OF_BOTH(TENON_RANGE_CASE)
    TENON_RANGE_CASE(digamma)
    TENON_RANGE_CASE(trigamma)
    default: return long_ones_pay() ? long_loop(kind) : nullptr;
  }
}

template <>
BinaryLoop<double> fast_loop<double>(Binary kind) {
  switch (kind) {
    case Binary::atan2: return TENON_BY_ISA(atan2_range);
    case Binary::hypot: return TENON_BY_ISA(hypot_range);
    case Binary::pow: return long_ones_pay() ? TENON_BY_ISA(pow_range) : nullptr;
    case Binary::gelu_gradient: return long_ones_pay() ? TENON_BY_ISA(gelu_gradient_range) : nullptr;
    default: return nullptr;
  }
}

UnaryLoop<float> gamma_loop(Unary kind) {
  switch (kind) {
    case Unary::lgamma: return long_ones_pay() ? TENON_BY_ISA(lgamma_f32_range) : nullptr;
    case Unary::digamma: return TENON_BY_ISA(digamma_f32_range);
    case Unary::trigamma: return TENON_BY_ISA(trigamma_f32_range);
    default: return nullptr;
  }
}

}  // namespace tenon
