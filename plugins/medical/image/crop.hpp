/// Cropping to what is not zero, and putting predictions back.
#pragma once

#include <array>
#include <cstdint>

#include "medical/image/volume.hpp"

namespace tenon::medical {

/// Half-open box of voxels, (z, y, x).
struct Box {
  std::array<std::int64_t, 3> low{0, 0, 0}, high{0, 0, 0};
  std::array<std::int64_t, 3> size() const { return {high[0] - low[0], high[1] - low[1], high[2] - low[2]}; }
  bool operator==(const Box&) const = default;
};

/// Smallest box around every value != 0 (NaN counts as not zero); the whole grid when all are zero. Any type, [z, y, x].
Box nonzero_box(const Tensor& values);
/// Dense copy of the box; throws usage "medical.box" when it does not lie inside.
Tensor crop(const Tensor& values, const Box& box);
/// The box put into a grid of `full` (z, y, x) voxels of value `fill`: undoes crop.
Tensor uncrop(const Tensor& values, const Box& box, const std::array<std::int64_t, 3>& full, double fill = 0);
/// Values and geometry (the origin moves). The kept header is dropped unless the box is the whole grid.
Volume crop(const Volume& volume, const Box& box);

}  // namespace tenon::medical
