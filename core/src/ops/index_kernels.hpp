/// Kernel slots of the ops that pick and place by index (private).
#pragma once

#include "ops/axis_split.hpp"
#include "tenon/kernel.hpp"

namespace tenon {

/// One side is [outer, n, inner], the other [outer, picks, inner]; the indices, i64, are [picks] or one an element. Kernels check them
/// and throw index.out_of_range.
struct IndexMove {
  const char* op;  ///< the public name, for messages
  AxisSplit at;    ///< of the side that is indexed
  std::int64_t picks;
  Shape index_shape;
  DType dtype;
  bool shared;     ///< the indices are [picks]
  bool from_zero;  ///< there is no x: places start as zeros
};

/// Throws index.out_of_range: `value` at flat position `at` of indices of this shape is not within 0..n-1.
[[noreturn]] TENON_API void refuse_index(const char* op, std::int64_t value, std::int64_t at, const Shape& indices, std::int64_t n);

/// x, indices -> y [outer, picks, inner]; shared indices.
TENON_API extern KernelSlot<const IndexMove&> index_select_kernel;
/// x, index -> y [outer, picks, inner]; one index an element.
TENON_API extern KernelSlot<const IndexMove&> gather_kernel;
/// [x,] index, source -> y [outer, n, inner]; one index an element; the last source of a place stays.
TENON_API extern KernelSlot<const IndexMove&> scatter_kernel;
/// [x,] indices, source -> y: sums in f32, f64 or i64, in the order of the sources; on a device those of a place with more than 256 in chunks, by indices and sizes alone.
TENON_API extern KernelSlot<const IndexMove&> scatter_add_kernel;

}  // namespace tenon
