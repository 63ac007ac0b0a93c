/// What the network is given of a cloud, and what is true of it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "grid.hpp"

namespace driving_plugin {

/// Of each kept point: x, y, z, reflectance; offset from the mean of its pillar's kept points (x, y, z) and from its pillar's centre (x,
/// y), all scaled to about 1; and 1, where an empty place has 0. PointPillars' nine and the mark of a place that is taken.
inline constexpr std::int64_t kPointFeatures = 10;

/// Writes [nx, ny, max_points, kPointFeatures], row major, for a model that takes [N, nx, ny, max_points * kPointFeatures]. Dense, empty
/// pillars and all: on a grid of some thousand cells that costs less than gathering the occupied ones, and the step has the same shape for
/// every scene.
void fill_features(const Grid& grid, std::span<const Point> points, std::span<float> out);

/// [nx * ny] the class that most points of a cell have, ground left out unless there is nothing else (the road below a car's bumper does
/// not make it road); kUnseen without points. Looks at all points, whether the pillar keeps them or not.
std::vector<std::uint8_t> cell_classes(const Grid& grid, std::span<const Point> points, std::span<const std::uint8_t> classes);

}  // namespace driving_plugin
