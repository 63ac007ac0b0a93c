/// Dense loops of functions that cost much a value, for this CPU (private).
#pragma once

#include "ops/elementwise_loops.hpp"

namespace tenon {

/// Null for functions whose plain loop is as good. C: float or double.
template <class C>
UnaryLoop<C> fast_loop(kernels::Unary kind);
template <class C>
BinaryLoop<C> fast_loop(kernels::Binary kind);
template <>
UnaryLoop<float> fast_loop<float>(kernels::Unary kind);
template <>
UnaryLoop<double> fast_loop<double>(kernels::Unary kind);
template <>
BinaryLoop<float> fast_loop<float>(kernels::Binary kind);
template <>
BinaryLoop<double> fast_loop<double>(kernels::Binary kind);
/// The gamma function's kin among those of f32, which are computed in double.
UnaryLoop<float> gamma_loop(kernels::Unary kind);

}  // namespace tenon
