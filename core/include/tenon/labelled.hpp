/// Labelled arrays: values with named axes, coordinates and attributes; what formats read and write.
///
/// Coordinates travel with tensors so that writers can put them back exactly. The core knows two kinds of
/// geometry: per-axis coordinates, and one affine for axes that share a space (a scanner's voxel grid).
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tenon/tensor.hpp"

namespace tenon {

struct Axis {
  std::string name;                 ///< "z", "time", "lat", "channel"
  std::string unit;                 ///< "mm", "days since 1850-01-01", ""
  std::vector<double> coordinates;  ///< one a position; empty when the array's affine places this axis
  std::map<std::string, std::string> attributes;
};

/// Maps array indices (in the order of the spatial axes of the array) to world coordinates: 3 rows of
/// [m0 m1 m2 | t], world axes named by `world` ("LPS", "RAS").
struct Affine {
  std::array<std::array<double, 4>, 3> m{{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
  std::string world;
};

struct LabelledArray {
  Tensor values;           ///< rank == axes.size()
  std::vector<Axis> axes;  ///< one a tensor axis, in its order
  std::optional<Affine> affine;
  std::string name, unit;
  std::map<std::string, std::string> attributes;  ///< kept from reader to writer
};

}  // namespace tenon
