// Small dense products for one instruction set; see backend/cpu/small_product.hpp.
#include "backend/cpu/small_product.hpp"
#include "kernels/vec.inl"

namespace tenon::TENON_ISA {

using cpu::SmallProduct;

/// Columns of a panel: two vectors.
template <class A>
inline constexpr std::int64_t kPanelColumns = 2 * kLanes<A>;

/// b [depth, columns], by strides, times `factor`; missing columns of the last panel are zeros.
template <class A>
void pack_panels(const A* b, std::int64_t b_depth, std::int64_t b_column, std::int64_t depth, std::int64_t columns, A factor, A* to) {
  constexpr std::int64_t W = kPanelColumns<A>;
  const std::int64_t whole = b_column == 1 ? columns / W : 0;
  // rows of b from left to right: walking down a panel would meet a page a row
  for (std::int64_t k = 0; k < depth; ++k)
    for (std::int64_t panel = 0; panel < whole; ++panel)
      for (std::int64_t j = 0; j < W; ++j) to[(panel * depth + k) * W + j] = b[k * b_depth + panel * W + j] * factor;
  b += whole * W * b_column, columns -= whole * W, to += whole * W * depth;
  for (std::int64_t first = 0; first < columns; first += W) {
    const std::int64_t n = columns - first < W ? columns - first : W;
    const A* from = b + first * b_column;
    for (std::int64_t k = 0; k < depth; ++k, to += W, from += b_depth) {
      for (std::int64_t j = 0; j < n; ++j) to[j] = from[j * b_column] * factor;
      for (std::int64_t j = n; j < W; ++j) to[j] = A(0);
    }
  }
}

/// R rows against one panel; the sums stay in registers and meet c at the end.
template <int R, class A>
[[gnu::always_inline]] inline void product_tile(std::int64_t depth, const A* a, std::int64_t a_row, std::int64_t a_depth, const A* b, A* c,
                                                std::int64_t c_row, std::int64_t columns, bool add) {
  constexpr int L = kLanes<A>;
  Vec<A, L> sums[R][2];
  const A* rows[R];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {  // in registers: an initialiser of the whole array would go by way of memory
    sums[r][0] = sums[r][1] = splat<A, L>(A(0));
    rows[r] = a + r * a_row;
  }
  for (std::int64_t k = 0, at = 0; k < depth; ++k, at += a_depth, b += 2 * L) {
    const Vec<A, L> left = load<L>(b), right = load<L>(b + L);
    for (int r = 0; r < R; ++r) {
      const Vec<A, L> s = splat<A, L>(rows[r][at]);
      sums[r][0] += s * left;
      sums[r][1] += s * right;
    }
  }
  if (columns >= 2 * L) {
    for (int r = 0; r < R; ++r, c += c_row)
      for (int v = 0; v < 2; ++v) store<L>(c + v * L, add ? load<L>(c + v * L) + sums[r][v] : sums[r][v]);
    return;
  }
  for (int r = 0; r < R; ++r, c += c_row) {
    A line[2 * L];
    for (int v = 0; v < 2; ++v) store<L>(line + v * L, sums[r][v]);
    for (std::int64_t j = 0; j < columns; ++j) c[j] = add ? c[j] + line[j] : line[j];
  }
}

/// `panels`: b as pack_panels leaves it.
template <class A>
void small_product(const SmallProduct& g, const A* a, const A* panels, A* c) {
  constexpr std::int64_t W = kPanelColumns<A>, kRows = 6;
  const std::int64_t tiles = (g.rows + kRows - 1) / kRows;
  for (std::int64_t first = 0; first < g.columns; first += W, panels += W * g.depth) {
    const std::int64_t n = g.columns - first < W ? g.columns - first : W;
    for (std::int64_t t = 0; t < tiles; ++t) {  // tiles of even height
      const std::int64_t begin = g.rows * t / tiles, end = g.rows * (t + 1) / tiles;
      const A* from = a + begin * g.a_row;
      A* to = c + begin * g.c_row + first;
      switch (end - begin) {
        case 1:
          product_tile<1>(g.depth, from, g.a_row, g.a_depth, panels, to, g.c_row, n, g.add);
          break;
        case 2:
          product_tile<2>(g.depth, from, g.a_row, g.a_depth, panels, to, g.c_row, n, g.add);
          break;
        case 3:
          product_tile<3>(g.depth, from, g.a_row, g.a_depth, panels, to, g.c_row, n, g.add);
          break;
        case 4:
          product_tile<4>(g.depth, from, g.a_row, g.a_depth, panels, to, g.c_row, n, g.add);
          break;
        case 5:
          product_tile<5>(g.depth, from, g.a_row, g.a_depth, panels, to, g.c_row, n, g.add);
          break;
        default:
          product_tile<6>(g.depth, from, g.a_row, g.a_depth, panels, to, g.c_row, n, g.add);
          break;
      }
    }
  }
}

}  // namespace tenon::TENON_ISA
