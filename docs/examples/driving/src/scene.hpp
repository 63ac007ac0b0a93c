/// Made streets, as a LiDAR on a car's roof sees them.
///
/// A scene is a plane with a slope, cars and vans (boxes), people and poles (upright cylinders), hedges and walls (boxes). Each ray of the
/// scanner meets the nearest of them, which hides what is behind; ranges and reflectances have noise, some rays do not come back.
/// Everything depends on `random` alone.
#pragma once

#include <cstdint>
#include <vector>

#include "cloud.hpp"
#include "tenon/params.hpp"
#include "tenon/random.hpp"

namespace driving_plugin {

/// The scanner looks forward, 90 degrees wide, from 2 degrees above the horizon to 24.8 below, as the Velodyne HDL-64E of KITTI's car does.
struct Scanner {
  std::int64_t beams = 64;
  double step = 0.4;          ///< between rays of a beam, degrees
  double height = 1.73;       ///< above the ground, m
  double farthest = 60;       ///< m
  double range_noise = 0.02;  ///< standard deviation, m
  double lost = 0.05;         ///< share of rays that do not come back
};

std::vector<tenon::Param> scanner_params();
Scanner scanner_of(const tenon::ParamValues& values);

struct Scene {
  std::vector<Point> points;          ///< beam after beam, from the right to the left
  std::vector<std::uint8_t> classes;  ///< of each point, as Class
};

/// Cost: rays x the few objects in their direction.
Scene simulate(const Scanner& scanner, const tenon::Random& random);

}  // namespace driving_plugin
