#include "grid.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "tenon/error.hpp"

namespace driving_plugin {
namespace {

using namespace tenon;

constexpr const char* kGridError = "driving.grid";

std::array<double, 2> range_of(const ParamValues& values, const char* name, const std::string& section) {
  const std::vector<double>& given = values.reals(name);
  if (given.size() != 2 || !(given[0] < given[1]))
    throw Error(ErrorKind::usage, kGridError, "a range is two numbers, from and to", "write it as [0, 40], or 0,40", section + name);
  return {given[0], given[1]};
}

std::int64_t cells_along(const std::array<double, 2>& range, double size, const std::string& where) {
  const double cells = (range[1] - range[0]) / size, whole = std::round(cells);
  if (!(std::abs(cells - whole) < 1e-6 * whole) || whole < 1) {
    throw Error(ErrorKind::usage, kGridError, std::to_string(range[1] - range[0]) + " m are " + std::to_string(cells) + " pillars",
                "take a range that is a multiple of the pillar size", where);
  }
  if (whole > static_cast<double>(kMaxCells))
    throw Error(ErrorKind::usage, kGridError, std::to_string(cells) + " cells", "take larger pillars", where);
  return static_cast<std::int64_t>(whole);
}

/// Whether point j of the n in its pillar is among the `most` that stay: floor(j most / n) takes each of 0 .. most - 1, and the first that
/// does stays.
bool stays(std::int64_t j, std::int64_t n, std::int64_t most) {
  return n <= most || j == 0 || j * most / n != (j - 1) * most / n;
}

}  // namespace

std::int64_t Grid::cell_of(const Point& p) const {
  const double px = static_cast<double>(p.x), py = static_cast<double>(p.y), pz = static_cast<double>(p.z);
  if (!(px >= x[0] && px < x[1] && py >= y[0] && py < y[1] && pz >= z[0] && pz < z[1])) return -1;
  // A quotient just below the last edge can be rounded up to it.
  const std::int64_t ix = std::min(nx - 1, static_cast<std::int64_t>((px - x[0]) / size));
  const std::int64_t iy = std::min(ny - 1, static_cast<std::int64_t>((py - y[0]) / size));
  return ix * ny + iy;
}

std::vector<Param> grid_params() {
  return {reals_param("x_range", {0, 40}, "forward, from and to", -1000, 1000, "m"),
          reals_param("y_range", {-20, 20}, "to the left, from and to", -1000, 1000, "m"),
          reals_param("z_range", {-4, 4}, "up from the sensor, from and to", -1000, 1000, "m"),
          real_param("pillar_size", 0.5, "side of a pillar", 0.01, 100, "m"),
          integer_param("max_points", 6, "points that a pillar keeps", 1, 1024)};
}

Grid grid_of(const ParamValues& values, const std::string& section) {
  Grid grid;
  grid.x = range_of(values, "x_range", section);
  grid.y = range_of(values, "y_range", section);
  grid.z = range_of(values, "z_range", section);
  grid.size = values.real("pillar_size");
  grid.max_points = values.integer("max_points");
  grid.nx = cells_along(grid.x, grid.size, section + "x_range");
  grid.ny = cells_along(grid.y, grid.size, section + "y_range");
  if (grid.nx > kMaxCells / grid.ny) {
    throw Error(ErrorKind::usage, kGridError,
                std::to_string(grid.nx) + " x " + std::to_string(grid.ny) + " cells, at most are " + std::to_string(kMaxCells),
                "take larger pillars or shorter ranges", section + "pillar_size");
  }
  return grid;
}

Pillars voxelise(const Grid& grid, std::span<const Point> points) {
  std::vector<std::int64_t> cell(points.size()), count(static_cast<std::size_t>(grid.cells()));
  Pillars out;
  for (std::size_t i = 0; i < points.size(); ++i) {
    cell[i] = grid.cell_of(points[i]);
    if (cell[i] < 0)
      ++out.outside;
    else
      ++count[static_cast<std::size_t>(cell[i])];
  }
  // Where the kept points of each cell go; from here on `next` is the place of the next one.
  std::vector<std::int64_t> next(count.size()), seen(count.size());
  out.starts = {0};
  for (std::size_t c = 0; c < count.size(); ++c) {
    if (count[c] == 0) continue;
    out.cells.push_back(static_cast<std::int64_t>(c));
    out.counts.push_back(count[c]);
    next[c] = out.starts.back();
    out.starts.push_back(next[c] + std::min(count[c], grid.max_points));
  }
  out.kept.resize(static_cast<std::size_t>(out.starts.back()));
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (cell[i] < 0) continue;
    const auto c = static_cast<std::size_t>(cell[i]);
    if (stays(seen[c]++, count[c], grid.max_points)) out.kept[static_cast<std::size_t>(next[c]++)] = static_cast<std::int64_t>(i);
  }
  out.overfull = static_cast<std::int64_t>(points.size()) - out.outside - static_cast<std::int64_t>(out.kept.size());
  return out;
}

}  // namespace driving_plugin
