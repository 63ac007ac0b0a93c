/// The grid a model works on: one orientation and one voxel spacing for all scans, and the way there and back.
///
/// Scans that already lie so (within 5 % of the spacing) are not resampled: their voxels reach the model unchanged, and
/// labels come back on exactly the scan's own grid. Thread-safe.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "medical/image/orient.hpp"
#include "medical/image/resample.hpp"
#include "medical/image/volume.hpp"

namespace tenon::medical {

struct ModelSpace {
  std::string orientation = "RAS";
  std::array<double, 3> spacing{1, 1, 1};  ///< mm, (x, y, z) after reorienting
};

/// The commonest orientation, and the median spacing of each axis in it. Throws a usage error for no geometries.
ModelSpace choose_space(const std::vector<Geometry>& geometries);

/// From one scan's grid to the model's.
struct SpacePath {
  Orientation turn;
  Size3 turned{};  ///< size after reorienting, (z, y, x)
  Size3 size{};    ///< size on the model's grid
  std::array<int, 3> image_order{3, 3, 3}, label_order{1, 1, 1};
  bool identity() const { return turn.identity() && turned == size; }
};
SpacePath path_to(const Geometry& scan, const ModelSpace& space);

Tensor image_to_model(const Tensor& image, const SpacePath& path);    ///< f32 [z, y, x]
Tensor labels_to_model(const Tensor& labels, const SpacePath& path);  ///< u8 [z, y, x]
/// Scores f32 [size, classes] to u8 labels on the scan's own grid; ties to the smaller label.
Tensor labels_from_scores(const Tensor& scores, const SpacePath& path);

}  // namespace tenon::medical
