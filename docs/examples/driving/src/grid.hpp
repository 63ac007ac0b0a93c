/// Pillars: the points of a cloud by the cells of a grid seen from above (Lang et al., PointPillars, CVPR 2019).
///
/// The grid covers [x0, x1) x [y0, y1) with square cells of `size`; a pillar is all of a cell's points with z in [z0, z1). Cells are
/// numbered ix * ny + iy, ix forward, iy to the left. All values are plain; functions are free of state and may be called by several
/// threads.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "cloud.hpp"
#include "tenon/params.hpp"

namespace driving_plugin {

struct Grid {
  std::array<double, 2> x{}, y{}, z{};  ///< from and to, m
  double size = 0;                      ///< side of a cell, m
  std::int64_t max_points = 0;          ///< that a pillar keeps
  std::int64_t nx = 0, ny = 0;          ///< cells

  std::int64_t cells() const { return nx * ny; }
  /// Of the cell that holds the point; -1 outside of the range.
  std::int64_t cell_of(const Point& p) const;
  double x_of(std::int64_t ix) const { return x[0] + (static_cast<double>(ix) + 0.5) * size; }  ///< centre of a row of cells, m
  double y_of(std::int64_t iy) const { return y[0] + (static_cast<double>(iy) + 0.5) * size; }
};

/// x_range, y_range, z_range, pillar_size, max_points: the same words in recipes and for the tool.
std::vector<tenon::Param> grid_params();
/// Throws driving.grid (usage) for ranges that are no multiple of the size, or for more cells than `kMaxCells`. `section` ("data.", "--")
/// stands before the parameter's name in the error.
Grid grid_of(const tenon::ParamValues& values, const std::string& section);
inline constexpr std::int64_t kMaxCells = std::int64_t{1} << 22;

/// Occupied pillars, in order of their cells.
struct Pillars {
  std::vector<std::int64_t> cells;         ///< [M] numbers of cells, ascending
  std::vector<std::int64_t> counts;        ///< [M] points that lie in each
  std::vector<std::int64_t> starts;        ///< [M + 1] pillar m has kept[starts[m]] .. kept[starts[m + 1]]
  std::vector<std::int64_t> kept;          ///< indices of points, in the file's order within a pillar
  std::int64_t outside = 0, overfull = 0;  ///< points dropped: out of the range, beyond max_points
};

/// Of n > max_points points of a pillar, max_points are kept, evenly through the file's order: a scanner writes beam after beam, so the
/// first ones alone would be one beam's. O(points + cells), the same for every call.
Pillars voxelise(const Grid& grid, std::span<const Point> points);

}  // namespace driving_plugin
