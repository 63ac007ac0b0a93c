/// Dense loops of the elementwise ops on the CPU, of f32 and f64 (private).
#pragma once

#include <cstdint>

#include "kernels/elementwise.hpp"

namespace tenon {

template <class C> using UnaryLoop = void (*)(kernels::UnaryArgs args, std::int64_t n, const C* x, C* y);
template <class C> using BinaryLoop = void (*)(std::int64_t n, const C* x, const C* y, C* z);

/// The loops of the ops themselves: y is not x. C: float or double.
template <class C> UnaryLoop<C> unary_loop_of(kernels::Unary kind);
/// z is neither x nor y; comparisons give 0 or 1.
template <class C> BinaryLoop<C> binary_loop_of(kernels::Binary kind);

}  // namespace tenon
