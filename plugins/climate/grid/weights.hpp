/// Regridding weights between latitude-longitude grids, as a sparse matrix of rows of target cells.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "climate/grid/grid.hpp"

namespace tenon::climate {

enum class Method { nearest, bilinear, conservative };
Method method_from_name(const std::string& name);  ///< "nearest", "bilinear", "conservative"

/// Compressed rows: the entries of target cell t are at [begin[t], begin[t + 1]). Cells count row major, [lat, lon].
/// Weights of a row sum to the part of the target that the source covers: 1 inside, 0 (no entries) outside.
struct Weights {
  std::int64_t sources = 0, targets = 0;
  std::vector<std::int64_t> begin;
  std::vector<std::int32_t> source;
  std::vector<double> weight;
};

/// - nearest: the source centre at the least distance on the sphere (of equal ones the first); targets outside all source cells have none.
/// - bilinear: in latitude and longitude between the four centres around. Between the outermost row and a pole that its cells reach, the pole's
///   value is the mean of that row. Other targets outside the centres have no weights.
/// - conservative, first order (Jones 1999): areas of overlap on the sphere over the target's area. Exact for these grids: their cells are bounded by
///   meridians and parallels.
/// Throws climate.grid where the source has 2^31 cells or more, and of conservative where cells are not known (one position without bounds).
Weights make_weights(const Grid& source, const Grid& target, Method method);

}  // namespace tenon::climate
