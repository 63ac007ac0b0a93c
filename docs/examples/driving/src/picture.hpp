/// Pictures of a grid seen from above: forward is up, the car stands below the middle of the lower edge.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "grid.hpp"

namespace driving_plugin {

/// PNG of maps of classes [nx * ny] side by side, in the colours of classes.hpp; cells that were not seen are dark.
std::vector<std::uint8_t> draw_classes(const Grid& grid, std::span<const std::vector<std::uint8_t>> maps);

}  // namespace driving_plugin
