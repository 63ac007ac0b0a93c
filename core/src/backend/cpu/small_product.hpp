/// Small dense products on the calling thread: c [rows, columns] (+)= a [rows, depth] b [depth, columns], b packed in panels of columns
/// (private).
///
/// What the recurrences and attention multiply with: operands that were just made and lie in the cache, read in place by any
/// strides. Sums run in order of depth, in the type of the operands (f32 or f64).
#pragma once

#include <cstdint>

namespace tenon::cpu {

struct SmallProduct {
  std::int64_t rows, columns, depth;
  std::int64_t a_row, a_depth, c_row;  ///< strides; the columns of c lie together
  bool add;                            ///< c += in place of c =
};

template <class A>
struct SmallProducts {
  std::int64_t panel;  ///< columns of b that lie together
  /// b [depth, columns], by strides, times `factor`, into packed_size elements.
  void (*pack)(const A* b, std::int64_t b_depth, std::int64_t b_column, std::int64_t depth, std::int64_t columns, A factor, A* to);
  void (*run)(const SmallProduct& g, const A* a, const A* packed, A* c);
  std::int64_t packed_size(std::int64_t depth, std::int64_t columns) const { return (columns + panel - 1) / panel * panel * depth; }
};

/// For this CPU; A is float or double.
template <class A>
const SmallProducts<A>& small_products();

/// No panel of any instruction set is wider.
inline constexpr std::int64_t kWidestPanel = 32;
/// packed_size on any CPU, at most.
inline std::int64_t packed_bound(std::int64_t depth, std::int64_t columns) {
  return (columns + kWidestPanel - 1) / kWidestPanel * kWidestPanel * depth;
}

}  // namespace tenon::cpu
