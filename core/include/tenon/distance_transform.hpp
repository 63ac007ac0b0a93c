/// Exact Euclidean distance transform of a 3D grid with its own spacing along each axis (Felzenszwalb and Huttenlocher,
/// Theory of Computing 8, 2012): the lower envelope of parabolas, axis by axis.
///
/// Cost: linear in the number of voxels, lines in parallel; results do not depend on the number of threads.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "tenon/export.hpp"

namespace tenon {

/// Squared distance, in the spacing's unit, from every voxel to the nearest one where `set` is not zero; infinity when there is none.
/// [z, y, x]; size and spacing in the same order.
TENON_API std::vector<double> squared_distance(std::span<const std::uint8_t> set, const std::array<std::int64_t, 3>& size,
                                     const std::array<double, 3>& spacing);

}  // namespace tenon
