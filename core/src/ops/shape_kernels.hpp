/// Kernel slots of the ops that move bytes (private). They see any element type as bytes.
#pragma once

#include <vector>

#include "tenon/kernel.hpp"

namespace tenon {

/// Pieces laid side by side: row r of the whole is row r of each piece, one after another.
struct Pieces {
  std::int64_t rows;
  std::vector<std::int64_t> bytes;  ///< of a row of each piece
};
/// pieces... -> whole
extern TENON_API KernelSlot<const Pieces&> concat_kernel;
/// whole -> pieces...
extern TENON_API KernelSlot<const Pieces&> split_kernel;

/// Padding of a dense tensor of `element` bytes (trailing axes that are not padded make one element).
struct Padding {
  Shape from, before, to;
  std::int64_t element;     ///< bytes
  std::int64_t fill_bytes;  ///< of the value, which repeats over an element
  std::uint64_t fill;       ///< the value's bytes
};
/// x -> y
extern TENON_API KernelSlot<const Padding&> pad_kernel;

/// Reversal along some axes; trailing axes that keep their order make one element of `element` bytes.
struct Reversal {
  Shape shape;
  std::vector<bool> flipped;  ///< one an axis of `shape`
  std::int64_t element;
};
/// x -> y
extern TENON_API KernelSlot<const Reversal&> flip_kernel;

struct OneHot {
  DType labels;
  std::int64_t count, classes;
  std::int64_t element;  ///< bytes of an output element
  std::uint64_t one;     ///< the bytes of 1
};
/// labels -> y
extern TENON_API KernelSlot<const OneHot&> one_hot_kernel;

}  // namespace tenon
