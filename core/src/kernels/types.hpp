/// The few words that every kernel shares.
#pragma once

#include <type_traits>

#include "tenon/dtype.hpp"

/// Kernel maths is always inlined, so that it takes on the instruction set of the loop around it.
#define TENON_MATHS TENON_HD inline __attribute__((always_inline))

namespace tenon {

/// Sums, statistics and arithmetic: f64 for f64, f32 for everything narrower.
template <class T>
using Acc = std::conditional_t<std::is_same_v<T, double>, double, float>;
inline DType acc_dtype(DType t) {
  return t == DType::f64 ? DType::f64 : DType::f32;
}

}  // namespace tenon
