/// Reorienting a grid by permuting and flipping its axes: no voxel value changes, and it can be undone exactly.
#pragma once

#include <array>
#include <string>

#include "medical/image/volume.hpp"

namespace tenon::medical {

/// Output axis a (0 = x, 1 = y, 2 = z) is input axis `axis[a]`, run backwards where `flip[a]`.
struct Orientation {
  std::array<int, 3> axis{0, 1, 2};
  std::array<bool, 3> flip{false, false, false};
  bool identity() const { return axis == std::array<int, 3>{0, 1, 2} && flip == std::array<bool, 3>{false, false, false}; }
  Orientation inverse() const;
};

/// What turns a grid like `geometry` into one whose axes point as `codes` say ("RAS", "LPS", "LIA"...). Each axis goes
/// to the world axis it is nearest to (the assignment with the largest sum of |cosines|). Throws usage "medical.orientation".
Orientation orientation_to(const Geometry& geometry, const std::string& codes = "RAS");

Geometry reorient(const Geometry& geometry, const Orientation& how);
/// `values`: [z, y, x] or [t, z, y, x], any type; a dense copy (the same tensor when nothing moves).
Tensor reorient(const Tensor& values, const Orientation& how);
/// Both; a header kept in the attributes no longer fits and is dropped when anything moves.
Volume reorient(const Volume& volume, const Orientation& how);

}  // namespace tenon::medical
