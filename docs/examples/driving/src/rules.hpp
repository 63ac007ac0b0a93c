/// What one gets without a network: rules that look at one pillar and what is around it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "grid.hpp"
#include "scene.hpp"

namespace driving_plugin {

/// A table from a pillar's numbers to the class that was most frequent among pillars of such numbers.
class Rule {
 public:
  enum class Kind {
    constant,            ///< the most frequent class of all
    height,              ///< by the height of the highest point above the lowest one within two pillars around, in steps of 0.1 m
    height_reflectance,  ///< by that, the mean reflectance in steps of 0.2 and the number of points (1, 2 to 3, 4 to 7, ...)
  };
  explicit Rule(Kind kind) : kind_(kind) {}

  std::string name() const;
  /// Counts the pillars of some scenes; none of those that are scored.
  void fit(const Grid& grid, std::span<const Scene> scenes);
  /// [nx * ny] classes, kUnseen where no point is.
  std::vector<std::uint8_t> apply(const Grid& grid, std::span<const Point> points) const;

 private:
  Kind kind_;
  std::vector<std::uint8_t> table_;
};

}  // namespace driving_plugin
