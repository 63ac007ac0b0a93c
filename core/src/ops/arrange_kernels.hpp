/// Kernel slots of the ops that lay out elements by a pattern (private). They see any element type as bytes.
#pragma once

#include "tenon/kernel.hpp"

namespace tenon {

/// Rotation of a dense tensor; the axes behind the last rolled one make one element of `element` bytes.
struct Rotation {
  Shape shape, shift;  ///< 0 <= shift < size
  std::int64_t element;
};
/// x -> y
TENON_API extern KernelSlot<const Rotation&> roll_kernel;

/// One side of a diagonal of dense matrices, with zeros on the other.
struct Triangle {
  std::int64_t matrices, rows, columns, diagonal;
  bool lower;
  std::int64_t element;  ///< bytes
};
/// x -> y
TENON_API extern KernelSlot<const Triangle&> triangle_kernel;

}  // namespace tenon
