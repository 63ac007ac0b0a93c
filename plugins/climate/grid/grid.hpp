/// Latitude-longitude grids: rectilinear with any spacing, Gaussian among them.
///
/// Longitudes count modulo 360, latitudes run either way. Cells come from the file's bounds; where there are none they are derived halfway between
/// the centres, and a cap at a pole narrower than half a cell belongs to the outermost row.
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
  bool circular = false;                                    ///< the cells go all the way round
};

/// Throws climate.coordinate and climate.bounds for axes that are no grid.
Grid grid_of(const Axis& latitude, const Axis& longitude, const std::function<void(const std::string&)>& note = [](const std::string&) {});
/// Of a variable with both axes.
Grid grid_of(const LabelledArray& array, const std::function<void(const std::string&)>& note = [](const std::string&) {});

/// `r360x180` and `360x180`: longitudes from 0 on, latitudes from south to north, cells centred (poles are rows where the number of latitudes is odd
/// and no `r` is given); `n32` and `F32`: the regular Gaussian grid of 64 latitudes, north to south, and 128 longitudes. Throws climate.grid.
Grid grid_from_name(std::string_view name);
/// Is it a name of that kind?
bool is_grid_name(std::string_view name) noexcept;

/// Latitudes of the Gaussian quadrature of `n` points, degrees, north to south: zeros of the Legendre polynomial P_n, to 1e-14.
std::vector<double> gaussian_latitudes(int n);

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
