// Products of small matrices for one instruction set; see backend/cpu/panel_product.hpp.
#include "backend/cpu/panel_product.hpp"
#include "kernels/vec.inl"

namespace tenon::TENON_ISA {

using cpu::kPanel;
using cpu::PanelProduct;

inline constexpr int kW = kLanes<float> < 16 ? kLanes<float> : 16;  ///< lanes of a vector
using PanelVec = Vec<float, kW>;

/// kRows x 16 of c. The sums over the depth stay in registers and meet c at the end.
template <int kRows, bool kRowsApart, bool kAdd>
[[gnu::always_inline]] inline void panel_block(std::int64_t depth, const float* a, std::int64_t stride, const float* b, float* c) {
  constexpr int kVecs = int(kPanel) / kW;
  PanelVec sums[kRows][kVecs] = {};
  for (std::int64_t k = 0; k < depth; ++k, b += kPanel) {
    PanelVec row[kVecs];
    for (int v = 0; v < kVecs; ++v) row[v] = load<kW>(b + v * kW);
    for (int r = 0; r < kRows; ++r) {
      const PanelVec s = splat<float, kW>(kRowsApart ? a[r * stride + k] : a[k * stride + r]);
      for (int v = 0; v < kVecs; ++v) sums[r][v] += s * row[v];
    }
  }
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVecs; ++v) {
      float* to = c + r * kPanel + v * kW;
      store<kW>(to, kAdd ? load<kW>(to) + sums[r][v] : sums[r][v]);
    }
}

template <int kRows, bool kRowsApart, bool kAdd>
inline void panel_rows(std::int64_t rows, std::int64_t depth, const float* a, std::int64_t stride, const float* b, float* c) {
  for (; rows >= kRows; rows -= kRows, a += kRowsApart ? kRows * stride : kRows, c += kRows * kPanel)
    panel_block<kRows, kRowsApart, kAdd>(depth, a, stride, b, c);
  if constexpr (kRows > 1)
    if (rows > 0) panel_rows<kRows / 2, kRowsApart, kAdd>(rows, depth, a, stride, b, c);
}

template <bool kRowsApart, bool kAdd>
inline void panel_points(const PanelProduct& g, const float* a, const float* b, float* c) {
  constexpr int kRows = kW == 16 ? 12 : kW == 8 ? 6 : 3;  // fills the registers
  for (std::int64_t p = 0; p < g.points; ++p)
    for (std::int64_t n = 0; n < g.panels; ++n)
      panel_rows<kRows, kRowsApart, kAdd>(g.rows, g.depth, a + p * g.a_point, kRowsApart ? g.a_row : g.a_depth, b + p * g.b_point + n * g.b_panel,
                                          c + p * g.c_point + n * g.c_panel);
}

inline void panel_product(const PanelProduct& g, const float* a, const float* b, float* c) {
  const bool rows_apart = g.a_depth == 1;
  if (rows_apart && !g.add) panel_points<true, false>(g, a, b, c);
  if (rows_apart && g.add) panel_points<true, true>(g, a, b, c);
  if (!rows_apart && !g.add) panel_points<false, false>(g, a, b, c);
  if (!rows_apart && g.add) panel_points<false, true>(g, a, b, c);
}

}  // namespace tenon::TENON_ISA
