/// One mode's product of complex matrices on the CPU, as its loops take it (private).
#pragma once

#include <cstdint>

namespace tenon {

/// Sizes and strides in scalars (two a complex number). A's number (r, k) is at a + r * a_row + k * a_step, B's row k at b + k * b_row.
template <class T>
struct ModeMatrices {
  std::int64_t rows, depth, width;  ///< width: scalars of a row of C
  const T* a;
  std::int64_t a_row, a_step;
  bool conjugate;  ///< A's numbers
  const T* b;
  std::int64_t b_row;
  T* c;
  std::int64_t c_row;
};

}  // namespace tenon
