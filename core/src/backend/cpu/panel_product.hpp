/// Products of matrices that lie in panels: what the convolutions of our own in f32 are made of (private).
#pragma once

#include <cstdint>

namespace tenon::cpu {

/// Columns that lie together: one or two vectors. Rows of a panel follow each other.
inline constexpr std::int64_t kPanel = 16;
/// Rows of c that the loops hold in registers divide this, whatever the instruction set.
inline constexpr std::int64_t kPanelRows = 12;

/// c [rows, panels x 16] = a [rows, depth] b [depth, panels x 16], at each of `points` offsets; sums in order of depth.
struct PanelProduct {
  std::int64_t points = 1, rows = 0, depth = 0, panels = 0;
  std::int64_t a_row = 0, a_depth = 0;  ///< strides of a; one of them is 1
  std::int64_t b_panel = 0, c_panel = 0;
  std::int64_t a_point = 0, b_point = 0, c_point = 0;
  bool add = false;  ///< c += in place of c =
};

/// c = a b (or c += a b) by the loops of this CPU's instruction set.
using PanelProductLoops = void (*)(const PanelProduct& product, const float* a, const float* b, float* c);
PanelProductLoops panel_product_loops();

/// f32, as an odd number of cache lines: rows a power of two apart would meet in one set of the cache.
inline std::int64_t odd_lines(std::int64_t floats) { return ((floats + 15) / 16 | 1) * 16; }

}  // namespace tenon::cpu
