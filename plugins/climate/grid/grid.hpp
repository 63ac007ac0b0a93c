/// Latitude-longitude grids: rectilinear with any spacing, Gaussian among them.
///
/// Longitudes count modulo 360, latitudes run either way. Cells come from the file's bounds; where there are none they are derived halfway between
/// the centres, and a cap at a pole narrower than half a cell belongs to the outermost row. One latitude or longitude alone, without bounds, is a point: it covers nothing around it.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/labelled.hpp"

namespace tenon::climate {

struct Grid {
  std::vector<double> lat, lon;                             ///< centres, degrees, as stored
  std::vector<std::array<double, 2>> lat_cells, lon_cells;  ///< low and high edge of each; longitudes on the turn of their centre
  bool derived_cells = false;                               ///< from the centres, not from the file
  std::string points_along = {};                            ///< name of an axis of one position without bounds, whose cell is not known: of no width
  bool circular = false;                                    ///< the cells go all the way round
};

/// Throws climate.coordinate and climate.bounds for axes that are no grid.
Grid grid_of(const Axis& latitude, const Axis& longitude, const std::function<void(const std::string&)>& note = [](const std::string&) {});
/// Of a variable with both axes.
Grid grid_of(const LabelledArray& array, const std::function<void(const std::string&)>& note = [](const std::string&) {});

/// `r360x180`, also `360x180`: CDO's global grid of that name, longitudes from 0 on, latitudes from south to north, rows at the poles where the number of
/// latitudes is odd (r144x73) and half a row from them where it is even; `n32` and `F32`: the regular Gaussian grid of 64 latitudes, north to south, and 128
/// longitudes. Throws climate.grid.
Grid grid_from_name(std::string_view name);
/// Is it a name of that kind?
bool is_grid_name(std::string_view name) noexcept;

/// Latitudes of the Gaussian quadrature of `n` points, degrees, north to south: zeros of the Legendre polynomial P_n, to 1e-14.
std::vector<double> gaussian_latitudes(int n);

/// Throws climate.grid where the cells are not known.
void require_cells(const Grid& grid);
/// Cell areas over a sphere of radius 1, [lat, lon]: (sin b - sin a) * dlon.
std::vector<double> cell_areas(const Grid& grid);
/// Weights of rows, cos(lat) or cell areas, mean one over the rows: what scores use.
std::vector<double> latitude_weights(const std::vector<double>& latitudes);

/// The axes of a grid, with names, units and bounds by CF.
Axis latitude_axis(const Grid& grid);
Axis longitude_axis(const Grid& grid);

/// Without the last meridian where it repeats the first, 360 degrees on; `array` itself where not.
LabelledArray without_doubled_meridian(const LabelledArray& array);

}  // namespace tenon::climate
