#include "features.hpp"

#include <algorithm>
#include <array>

#include "classes.hpp"

namespace driving_plugin {

void fill_features(const Grid& grid, std::span<const Point> points, std::span<float> out) {
  std::fill(out.begin(), out.end(), 0.0f);
  const Pillars pillars = voxelise(grid, points);
  const auto far = static_cast<float>(std::max({std::abs(grid.x[0]), std::abs(grid.x[1]), std::abs(grid.y[0]), std::abs(grid.y[1])}));
  const auto half = static_cast<float>(grid.size / 2);
  constexpr float kHigh = 2;  // m; what matters above the road is about that
  for (std::size_t m = 0; m < pillars.cells.size(); ++m) {
    const std::span<const std::int64_t> kept(pillars.kept.data() + pillars.starts[m], pillars.kept.data() + pillars.starts[m + 1]);
    Point mean{};
    for (const std::int64_t i : kept) {
      const Point& p = points[static_cast<std::size_t>(i)];
      mean.x += p.x / static_cast<float>(kept.size());
      mean.y += p.y / static_cast<float>(kept.size());
      mean.z += p.z / static_cast<float>(kept.size());
    }
    const auto centre_x = static_cast<float>(grid.x_of(pillars.cells[m] / grid.ny)),
               centre_y = static_cast<float>(grid.y_of(pillars.cells[m] % grid.ny));
    auto* to = out.data() + pillars.cells[m] * grid.max_points * kPointFeatures;
    for (const std::int64_t i : kept) {
      const Point& p = points[static_cast<std::size_t>(i)];
      const std::array<float, kPointFeatures> features{p.x / far,
                                                       p.y / far,
                                                       p.z / kHigh,
                                                       p.reflectance,
                                                       (p.x - mean.x) / half,
                                                       (p.y - mean.y) / half,
                                                       (p.z - mean.z) / kHigh,
                                                       (p.x - centre_x) / half,
                                                       (p.y - centre_y) / half,
                                                       1};
      to = std::copy(features.begin(), features.end(), to);
    }
  }
}

std::vector<std::uint8_t> cell_classes(const Grid& grid, std::span<const Point> points, std::span<const std::uint8_t> classes) {
  const auto cells = static_cast<std::size_t>(grid.cells());
  std::vector<std::array<std::int32_t, kClasses>> votes(cells);
  for (std::size_t i = 0; i < points.size(); ++i)
    if (const std::int64_t cell = grid.cell_of(points[i]); cell >= 0) ++votes[static_cast<std::size_t>(cell)][classes[i]];
  std::vector<std::uint8_t> out(cells, kUnseen);
  for (std::size_t c = 0; c < cells; ++c) {
    const auto most = std::max_element(votes[c].begin() + 1, votes[c].end());
    if (*most > 0)
      out[c] = static_cast<std::uint8_t>(most - votes[c].begin());
    else if (votes[c][0] > 0)
      out[c] = static_cast<std::uint8_t>(Class::ground);
  }
  return out;
}

}  // namespace driving_plugin
