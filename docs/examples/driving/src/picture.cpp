#include "picture.hpp"

#include <algorithm>
#include <array>

#include "classes.hpp"
#include "tenon/io/png.hpp"

namespace driving_plugin {

std::vector<std::uint8_t> draw_classes(const Grid& grid, std::span<const std::vector<std::uint8_t>> maps) {
  constexpr std::int64_t kTarget = 320, kGap = 8;  // pixels: a map's longer side, and what lies between two
  constexpr std::array<std::uint8_t, 3> kDark{25, 25, 30};
  const std::int64_t scale = std::max<std::int64_t>(1, kTarget / std::max(grid.nx, grid.ny));
  const std::int64_t height = grid.nx * scale, width = grid.ny * scale, count = static_cast<std::int64_t>(maps.size());
  const std::int64_t line = count * width + (count - 1) * kGap;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(3 * line * height), 255);
  for (std::int64_t m = 0; m < count; ++m) {
    for (std::int64_t row = 0; row < height; ++row) {
      for (std::int64_t column = 0; column < width; ++column) {
        // Both axes of the grid grow away from the lower right corner: x is up, y to the left.
        const std::int64_t ix = grid.nx - 1 - row / scale, iy = grid.ny - 1 - column / scale;
        const std::uint8_t kind = maps[static_cast<std::size_t>(m)][static_cast<std::size_t>(ix * grid.ny + iy)];
        const auto& colour = kind < kClasses ? kClassColours[kind] : kDark;
        std::copy(colour.begin(), colour.end(), pixels.begin() + 3 * (row * line + m * (width + kGap) + column));
      }
    }
  }
  return tenon::encode_png(pixels, static_cast<int>(line), static_cast<int>(height), 3);
}

}  // namespace driving_plugin
