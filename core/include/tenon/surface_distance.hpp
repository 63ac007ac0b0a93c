/// Distances between the surfaces of two masks, in the unit of their spacing (mm, say), by either of the two definitions in use; they differ, so name the one used.
///
/// * Surfel (google-deepmind/surface-distance, Nikolov et al. 2018): points are the 2x2x2 neighbourhoods that are neither empty
///   nor full, each weighted by its marching-cubes area at the spacing. Averages are area-weighted, one a direction; HDp is the
///   smallest distance whose cumulative area share reaches p, the larger of the directions; NSD(t) is the area at distance
///   <= t over all area, both directions together.
/// * Voxel (MONAI): points are the voxels of a mask that its 6-neighbour erosion loses. HDp is the larger of the two directions'
///   linearly interpolated percentiles; averages and NSD count points.
///
/// Empty masks: both empty: all NaN (not scored). One empty: NSD 0 and every distance the volume's diagonal.
/// Cost: two exact Euclidean distance transforms over the joint bounding box.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "tenon/export.hpp"

namespace tenon {

enum class SurfaceKind { surfel, voxel };

/// One surface point: its distance to the other surface, and its share.
struct SurfacePoint {
  double distance, weight;
};

struct TENON_API SurfaceDistances {
  std::vector<SurfacePoint> truth_to_prediction, prediction_to_truth;  ///< sorted by distance
  bool truth_empty = false, prediction_empty = false;
  double diagonal = 0;  ///< of the volume
  SurfaceKind kind = SurfaceKind::surfel;

  std::array<double, 2> average() const;         ///< truth to prediction, and back
  double symmetric_average() const;              ///< over both directions together
  double hausdorff(double percent = 100) const;  ///< 95 for HD95
  double surface_dice(double tolerance) const;   ///< NSD
};

/// `truth` and `prediction`: not zero inside, [z, y, x]; size and spacing in the same order.
TENON_API SurfaceDistances surface_distances(std::span<const std::uint8_t> truth, std::span<const std::uint8_t> prediction,
                                   const std::array<std::int64_t, 3>& size, const std::array<double, 3>& spacing, SurfaceKind kind);

/// Area of the surface through a 2x2x2 neighbourhood, by its code: bit 7 - (4 z + 2 y + x) is set where that corner is
/// inside. Spacing (z, y, x).
TENON_API std::array<double, 256> surfel_areas(const std::array<double, 3>& spacing);

}  // namespace tenon
