// Loops of Winograd's convolution for one instruction set; see backend/cpu/winograd.hpp for the method.
// `Z`: points along the first axis, 4, or 1 where its kernel is 1. Points are numbered (z, y, x), x fastest.
#include "backend/cpu/winograd.hpp"
#include "backend/cpu/simd/panel_product.inl"

namespace tenon::TENON_ISA {

using cpu::kPanel;
using cpu::WinogradImage;
using cpu::WinogradOrigin;

/// B' d along one axis.
[[gnu::always_inline]] inline void input_points(PanelVec& a, PanelVec& b, PanelVec& c, PanelVec& d) {
  PanelVec p = a - c, q = b + c, r = c - b, s = b - d;
  a = p, b = q, c = r, d = s;
}

/// One column x of a tile (all its depths and rows), transformed along both: to[z * 4 + y]. kEdge: what lies outside counts as zero.
template <int Z, bool kEdge>
[[gnu::always_inline]] inline void input_column(const float* from, std::int64_t depth, std::int64_t row, const bool* in_z, const bool* in_y,
                                                PanelVec* to) {
  PanelVec d[Z][4];
  for (int z = 0; z < Z; ++z) {
    for (int y = 0; y < 4; ++y) d[z][y] = !kEdge || (in_z[z] && in_y[y]) ? load<kW>(from + z * depth + y * row) : PanelVec{};
    input_points(d[z][0], d[z][1], d[z][2], d[z][3]);
  }
  for (int y = 0; y < 4; ++y) {
    if constexpr (Z == 4) input_points(d[0][y], d[1][y], d[2][y], d[3][y]);
    for (int z = 0; z < Z; ++z) to[z * 4 + y] = d[z][y];
  }
}

/// to[tile][point, c] = `tiles` transformed tiles of channels [first, first + channels) of the sample x, the first at `at`, the others
/// after it along x. Neighbours overlap by two columns, which are transformed once.
template <int Z>
void winograd_input(const WinogradImage& m, const float* x, const WinogradOrigin& at, std::int64_t tiles, std::int64_t first,
                    std::int64_t channels, float* to, std::int64_t tile, std::int64_t point) {
  bool in_z[Z], in_y[4], rows_inside = true;
  for (int i = 0; i < Z; ++i) rows_inside &= in_z[i] = at[0] + i >= 0 && at[0] + i < m.size[0];
  for (int i = 0; i < 4; ++i) rows_inside &= in_y[i] = at[1] + i >= 0 && at[1] + i < m.size[1];
  const std::int64_t depth = m.row(0), row = m.row(1), step = m.row(2);
  const float* origin = x + at[0] * depth + at[1] * row + at[2] * step + first;
  constexpr int kVecs = int(kPanel) / kW;
  for (std::int64_t c = 0; c < channels; c += kPanel) {  // whole cache lines of the result at a time
    PanelVec columns[4][kVecs][Z * 4];                   // a ring
    for (std::int64_t j = 0; j < 2 * tiles + 2; ++j) {
      const bool inside = at[2] + j >= 0 && at[2] + j < m.size[2];
      for (int v = 0; v < kVecs; ++v) {
        PanelVec* column = columns[j & 3][v];
        const float* from = origin + j * step + c + v * kW;
        if (inside && rows_inside)
          input_column<Z, false>(from, depth, row, in_z, in_y, column);
        else if (inside)
          input_column<Z, true>(from, depth, row, in_z, in_y, column);
        else
          for (int p = 0; p < Z * 4; ++p) column[p] = PanelVec{};
      }
      if (j < 3 || j % 2 == 0) continue;
      float* out = to + (j - 3) / 2 * tile + c;
      for (int p = 0; p < Z * 4; ++p, out += 4 * point)
        for (int v = 0; v < kVecs; ++v) {
          PanelVec v0 = columns[(j - 3) & 3][v][p], v1 = columns[(j - 2) & 3][v][p], v2 = columns[(j - 1) & 3][v][p], v3 = columns[j & 3][v][p];
          input_points(v0, v1, v2, v3);
          store<kW>(out + v * kW, v0);
          store<kW>(out + point + v * kW, v1);
          store<kW>(out + 2 * point + v * kW, v2);
          store<kW>(out + 3 * point + v * kW, v3);
        }
    }
  }
}

/// A' d along one axis: 4 points to 2 outputs.
[[gnu::always_inline]] inline void output_pair(PanelVec a, PanelVec b, PanelVec c, PanelVec d, PanelVec& first, PanelVec& second) {
  first = a + b + c;
  second = b - c - d;
}

/// y at `at` = the tile whose points lie in from[point][panel][16], plus the bias (or null).
template <int Z>
void winograd_output(const WinogradImage& m, const float* from, std::int64_t point, std::int64_t panel, const float* bias,
                     const WinogradOrigin& at, float* y) {
  constexpr int kDeep = Z == 4 ? 2 : 1;
  const std::int64_t origin = at[0] * m.row(0) + at[1] * m.row(1) + at[2] * m.row(2);
  for (std::int64_t c = 0; c < m.channels; c += kW) {
    const float* p = from + c / kPanel * panel + c % kPanel;
    PanelVec planes[Z][4];
    for (int z = 0; z < Z; ++z) {
      PanelVec rows[4][2];
      for (int r = 0; r < 4; ++r) {
        const float* q = p + (z * 16 + r * 4) * point;
        output_pair(load<kW>(q), load<kW>(q + point), load<kW>(q + 2 * point), load<kW>(q + 3 * point), rows[r][0], rows[r][1]);
      }
      for (int k = 0; k < 2; ++k) output_pair(rows[0][k], rows[1][k], rows[2][k], rows[3][k], planes[z][k], planes[z][2 + k]);
    }
    const PanelVec b = bias ? load<kW>(bias + c) : PanelVec{};
    for (int k = 0; k < 4; ++k) {
      PanelVec out[2];
      if constexpr (Z == 4)
        output_pair(planes[0][k], planes[1][k], planes[2][k], planes[3][k], out[0], out[1]);
      else
        out[0] = planes[0][k];
      const std::int64_t dy = k / 2, dx = k % 2;
      if (at[1] + dy >= m.size[1] || at[2] + dx >= m.size[2]) continue;
      for (int dz = 0; dz < kDeep; ++dz)
        if (at[0] + dz < m.size[0]) store<kW>(y + origin + dz * m.row(0) + dy * m.row(1) + dx * m.row(2) + c, out[dz] + b);
    }
  }
}

/// A d along one axis: 2 outputs to 4 points.
[[gnu::always_inline]] inline void gradient_points(PanelVec a, PanelVec b, PanelVec& p, PanelVec& q, PanelVec& r, PanelVec& s) {
  p = a;
  q = a + b;
  r = a - b;
  s = -b;
}

/// to[point][panel][16] = the transformed tile of y's gradient at `at`, channels [first, first + channels).
template <int Z>
void winograd_gradient(const WinogradImage& m, const float* y, const WinogradOrigin& at, std::int64_t first, std::int64_t channels,
                       float* to, std::int64_t point, std::int64_t panel) {
  constexpr int kDeep = Z == 4 ? 2 : 1;
  const std::int64_t origin = at[0] * m.row(0) + at[1] * m.row(1) + at[2] * m.row(2) + first;
  for (std::int64_t c = 0; c < channels; c += kW) {
    float* p = to + c / kPanel * panel + c % kPanel;
    PanelVec planes[kDeep][16];
    for (int z = 0; z < kDeep; ++z) {
      PanelVec d[2][2], columns[4][2];
      for (int r = 0; r < 2; ++r)
        for (int k = 0; k < 2; ++k) {
          bool inside = at[0] + z < m.size[0] && at[1] + r < m.size[1] && at[2] + k < m.size[2];
          d[r][k] = inside ? load<kW>(y + origin + z * m.row(0) + r * m.row(1) + k * m.row(2) + c) : PanelVec{};
        }
      for (int k = 0; k < 2; ++k) gradient_points(d[0][k], d[1][k], columns[0][k], columns[1][k], columns[2][k], columns[3][k]);
      for (int r = 0; r < 4; ++r) {
        PanelVec* q = planes[z] + 4 * r;
        gradient_points(columns[r][0], columns[r][1], q[0], q[1], q[2], q[3]);
      }
    }
    for (int k = 0; k < 16; ++k) {
      if constexpr (Z == 4) {
        PanelVec q[4];
        gradient_points(planes[0][k], planes[1][k], q[0], q[1], q[2], q[3]);
        for (int z = 0; z < 4; ++z) store<kW>(p + (z * 16 + k) * point, q[z]);
      } else {
        store<kW>(p + k * point, planes[0][k]);
      }
    }
  }
}

/// G along one axis, for 16 lanes of plain arrays: w[3 * step] -> points[4 * step].
template <class A>
[[gnu::always_inline]] inline void weight_points(const A& w0, const A& w1, const A& w2, A& p, A& q, A& r, A& s) {
  const A half = (w0 + w2) * 0.5f, mid = w1 * 0.5f;
  p = w0;
  q = half + mid;
  r = half - mid;
  s = w2;
}

/// taps [Z == 4 ? 27 : 9][16] -> to[point][16], points `point` apart.
template <int Z>
void winograd_weights(const float* taps, float* to, std::int64_t point) {
  constexpr int kDeep = Z == 4 ? 3 : 1;
  for (int c = 0; c < kPanel; c += kW) {
    PanelVec planes[kDeep][16];
    for (int z = 0; z < kDeep; ++z) {
      PanelVec rows[3][4];
      for (int r = 0; r < 3; ++r) {
        const float* w = taps + (z * 9 + r * 3) * kPanel + c;
        weight_points(load<kW>(w), load<kW>(w + kPanel), load<kW>(w + 2 * kPanel), rows[r][0], rows[r][1], rows[r][2], rows[r][3]);
      }
      for (int k = 0; k < 4; ++k)
        weight_points(rows[0][k], rows[1][k], rows[2][k], planes[z][k], planes[z][4 + k], planes[z][8 + k], planes[z][12 + k]);
    }
    for (int k = 0; k < 16; ++k) {
      if constexpr (Z == 4) {
        PanelVec q[4];
        weight_points(planes[0][k], planes[1][k], planes[2][k], q[0], q[1], q[2], q[3]);
        for (int z = 0; z < 4; ++z) store<kW>(to + (z * 16 + k) * point + c, q[z]);
      } else {
        store<kW>(to + k * point + c, planes[0][k]);
      }
    }
  }
}

/// G' along one axis: 4 points to 3 taps.
[[gnu::always_inline]] inline void weight_taps(PanelVec p, PanelVec q, PanelVec r, PanelVec s, PanelVec& w0, PanelVec& w1, PanelVec& w2) {
  const PanelVec sum = (q + r) * 0.5f;
  w0 = p + sum;
  w1 = (q - r) * 0.5f;
  w2 = sum + s;
}

/// taps[27 or 9][16] = transformed sum over `partials` of from[point][16], added in order.
template <int Z>
void winograd_taps(const float* from, std::int64_t point, std::int64_t partials, std::int64_t partial, float* taps) {
  constexpr int kDeep = Z == 4 ? 3 : 1;
  for (int c = 0; c < kPanel; c += kW) {
    PanelVec planes[Z][9];
    for (int z = 0; z < Z; ++z) {
      PanelVec d[16], rows[3][4];
      for (int k = 0; k < 16; ++k) {
        const float* p = from + (z * 16 + k) * point + c;
        d[k] = load<kW>(p);
        for (std::int64_t n = 1; n < partials; ++n) d[k] += load<kW>(p + n * partial);
      }
      for (int k = 0; k < 4; ++k) weight_taps(d[k], d[4 + k], d[8 + k], d[12 + k], rows[0][k], rows[1][k], rows[2][k]);
      for (int r = 0; r < 3; ++r)
        weight_taps(rows[r][0], rows[r][1], rows[r][2], rows[r][3], planes[z][3 * r], planes[z][3 * r + 1], planes[z][3 * r + 2]);
    }
    for (int k = 0; k < 9; ++k) {
      PanelVec w[kDeep];
      if constexpr (Z == 4)
        weight_taps(planes[0][k], planes[1][k], planes[2][k], planes[3][k], w[0], w[1], w[2]);
      else
        w[0] = planes[0][k];
      for (int z = 0; z < kDeep; ++z) store<kW>(taps + (z * 9 + k) * kPanel + c, w[z]);
    }
  }
}

}  // namespace tenon::TENON_ISA
