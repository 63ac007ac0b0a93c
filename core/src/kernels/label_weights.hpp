/// What cross entropy is weighted by (private).
#pragma once

#include <cstdint>

#include "kernels/types.hpp"

namespace tenon {

template <class A>
struct LabelWeights {
  const A* of_class;  ///< [K], or null: 1
  A total, on, off;   ///< sum of the weights, 1 - smoothing, smoothing / K
  TENON_MATHS A of(std::int64_t k) const { return of_class ? of_class[k] : A(1); }
};

}  // namespace tenon
