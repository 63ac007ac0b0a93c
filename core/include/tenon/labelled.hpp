/// Labelled arrays: values with named axes, coordinates and attributes; what formats read and write.
///
/// Coordinates travel with tensors so that writers can put them back exactly. The core knows two kinds of
/// geometry: per-axis coordinates, and one affine for axes that share a space (a scanner's voxel grid). Time is held in whole numbers.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tenon/tensor.hpp"

namespace tenon {

/// Moments of an axis in whole numbers: microseconds since 1970-01-01T00:00:00 of the named calendar ("standard", "noleap", "360_day", ...).
struct TimeCoordinates {
  std::string calendar;
  std::vector<std::int64_t> ticks;                       ///< one a position
  std::vector<std::array<std::int64_t, 2>> bounds = {};  ///< begin and end of what each position stands for; empty: not known
};

struct Axis {
  std::string name;                 ///< "z", "time", "lat", "channel"
  std::string unit;                 ///< "mm", "days since 1850-01-01", ""
  std::vector<double> coordinates;  ///< one a position; empty when the array's affine places this axis
  std::map<std::string, std::string> attributes;
  std::map<std::string, std::vector<double>> numbers = {};  ///< attributes that are numbers
  std::vector<std::array<double, 2>> bounds = {};           ///< the cell of each position, as its source orders it; empty: not known
  std::optional<TimeCoordinates> time = {};                 ///< of a time axis; `coordinates` and `unit` then hold the same as stored
  std::vector<std::string> labels = {};                     ///< names of positions ("atlantic_ocean"); empty: none
};

/// Maps array indices (in the order of the spatial axes of the array) to world coordinates: 3 rows of
/// [m0 m1 m2 | t], world axes named by `world` ("LPS", "RAS").
struct Affine {
  std::array<std::array<double, 4>, 3> m{{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
  std::string world;
};

struct LabelledArray {
  Tensor values;           ///< rank == axes.size(); a missing value is NaN
  std::vector<Axis> axes;  ///< one a tensor axis, in its order
  std::optional<Affine> affine;
  std::string name, unit;
  std::map<std::string, std::string> attributes;            ///< kept from reader to writer
  std::map<std::string, std::vector<double>> numbers = {};  ///< attributes that are numbers, kept likewise
  /// What belongs to the array but is no axis: latitudes along two axes, a height of no axis. Their axes name axes of this array.
  std::vector<LabelledArray> auxiliary = {};
};

}  // namespace tenon
