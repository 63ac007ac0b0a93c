// Products of small matrices for one instruction set; see backend/cpu/panel_product.hpp.
#include "backend/cpu/panel_product.hpp"
#include "kernels/vec.inl"

namespace tenon::TENON_ISA {

using cpu::kPanel;
using cpu::PanelProduct;

inline constexpr int kW = kLanes<float> < 16 ? kLanes<float> : 16;  ///< lanes of a vector
using PanelVec = Vec<float, kW>;

/// kRows x 16 of c, held in registers over the whole depth.
template <int kRows, bool kRowsApart>
[[gnu::always_inline]] inline void panel_block(std::int64_t depth, const float* a, std::int64_t stride, const float* b, float* c, bool add) {
  constexpr int kVecs = int(kPanel) / kW;
  PanelVec sums[kRows][kVecs];
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVecs; ++v) sums[r][v] = add ? load<kW>(c + r * kPanel + v * kW) : PanelVec{};
  for (std::int64_t k = 0; k < depth; ++k, b += kPanel) {
    PanelVec row[kVecs];
    for (int v = 0; v < kVecs; ++v) row[v] = load<kW>(b + v * kW);
    for (int r = 0; r < kRows; ++r) {
      const PanelVec s = splat<float, kW>(kRowsApart ? a[r * stride + k] : a[k * stride + r]);
      for (int v = 0; v < kVecs; ++v) sums[r][v] += s * row[v];
    }
  }
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVecs; ++v) store<kW>(c + r * kPanel + v * kW, sums[r][v]);
}

template <int kRows, bool kRowsApart>
inline void panel_rows(std::int64_t rows, std::int64_t depth, const float* a, std::int64_t stride, const float* b, float* c, bool add) {
  for (; rows >= kRows; rows -= kRows, a += kRowsApart ? kRows * stride : kRows, c += kRows * kPanel)
    panel_block<kRows, kRowsApart>(depth, a, stride, b, c, add);
  if constexpr (kRows > 1)
    if (rows > 0) panel_rows<kRows / 2 * (kRows > 2) + (kRows <= 2), kRowsApart>(rows, depth, a, stride, b, c, add);
}

inline void panel_product(const PanelProduct& g, const float* a, const float* b, float* c) {
  constexpr int kRows = kW == 16 ? 12 : kW == 8 ? 6 : 3;  // fills the registers
  for (std::int64_t p = 0; p < g.points; ++p)
    for (std::int64_t n = 0; n < g.panels; ++n) {
      const float *pa = a + p * g.a_point, *pb = b + p * g.b_point + n * g.b_panel;
      float* pc = c + p * g.c_point + n * g.c_panel;
      if (g.a_depth == 1)
        panel_rows<kRows, true>(g.rows, g.depth, pa, g.a_row, pb, pc, g.add);
      else
        panel_rows<kRows, false>(g.rows, g.depth, pa, g.a_depth, pb, pc, g.add);
    }
}

}  // namespace tenon::TENON_ISA
