/// What the loops of Winograd's convolution share with the program around them (private).
///
/// Minimal filtering F(2, 3) along every axis whose kernel is 3 (Winograd 1980; Lavin and Gray 2016): a tile of 4 inputs
/// gives 2 outputs with 4 products in place of 6. In three axes 64 products a tile do the work of 216, in two 16 that of 36.
/// With "points" for the transformed elements of a tile (64, or 16 where the first axis has kernel 1):
///   forward          y  = A' [ (G w) (B' x) ] A      a matrix product [tiles, I] x [I, O] a point
///   weight gradient  dw = G' [ (B' x)' (A dy) ] G    a matrix product [I, tiles] x [tiles, O] a point
/// All coefficients of A and B are 0, 1, -1, those of G also 1/2: in f32 the error stays within a few times the direct sum's.
#pragma once

#include <array>
#include <cstdint>

namespace tenon::cpu {

/// A channels-last sample: size [depth, rows, columns, channels].
struct WinogradImage {
  std::array<std::int64_t, 3> size{};
  std::int64_t channels = 0;
  std::int64_t row(int axis) const { return axis == 0 ? size[1] * size[2] * channels : axis == 1 ? size[2] * channels : channels; }
};

/// Where a tile begins in an image; may lie before it or reach past it.
using WinogradOrigin = std::array<std::int64_t, 3>;

}  // namespace tenon::cpu
