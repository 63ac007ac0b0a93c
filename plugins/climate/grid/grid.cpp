#include "climate/grid/grid.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>
#include <optional>

#include "climate/io/coordinates.hpp"
#include "tenon/error.hpp"

namespace tenon::climate {
namespace {

constexpr double kDegree = std::numbers::pi / 180;

/// Edges halfway between centres; the ends mirror the nearest. A lone centre has no neighbour to tell its width by: 0.
std::vector<std::array<double, 2>> halfway(const std::vector<double>& x) {
  const std::size_t n = x.size();
  std::vector<std::array<double, 2>> out(n);
  for (std::size_t i = 0; i < n; ++i) {
    const double before = i > 0 ? (x[i] - x[i - 1]) / 2 : n > 1 ? (x[1] - x[0]) / 2 : 0.0;
    const double after = i + 1 < n ? (x[i + 1] - x[i]) / 2 : n > 1 ? (x[n - 1] - x[n - 2]) / 2 : 0.0;
    out[i] = {x[i] - before, x[i] + after};
    if (out[i][0] > out[i][1]) std::swap(out[i][0], out[i][1]);
  }
  return out;
}

/// A cap at a pole narrower than half a cell belongs to the outermost row.
void close_poles(std::vector<std::array<double, 2>>& cells) {
  for (auto& c : cells) {
    const double width = c[1] - c[0];
    const bool north = c[1] > 90 || (90 - c[1] < width / 2 && c[1] > 0), south = c[0] < -90 || (c[0] + 90 < width / 2 && c[0] < 0);
    const bool top = std::all_of(cells.begin(), cells.end(), [&](const auto& o) { return o[1] <= c[1]; });
    const bool bottom = std::all_of(cells.begin(), cells.end(), [&](const auto& o) { return o[0] >= c[0]; });
    if (north && top) c[1] = 90;
    if (south && bottom) c[0] = -90;
  }
}

/// Longitudes without the jump at the date line: each within half a turn of the one before.
std::vector<double> unwrapped(const std::vector<double>& lon) {
  std::vector<double> out = lon;
  for (std::size_t i = 1; i < out.size(); ++i) out[i] -= 360 * std::round((out[i] - out[i - 1]) / 360);
  return out;
}

int whole_number(std::string_view text) {
  int n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  return error == std::errc() && end == text.data() + text.size() && n > 0 && n <= 100'000 ? n : 0;
}

struct Name {
  bool gaussian = false;
  int lon = 0, lat = 0;
};

std::optional<Name> parsed(std::string_view name) {
  if (name.size() > 1 && (name[0] == 'n' || name[0] == 'N' || name[0] == 'f' || name[0] == 'F')) {
    const int n = whole_number(name.substr(1));
    if (n > 0 && n <= 4000) return Name{true, 4 * n, 2 * n};
    return {};
  }
  const bool r = !name.empty() && (name[0] == 'r' || name[0] == 'R');
  const std::string_view sizes = r ? name.substr(1) : name;
  const std::size_t x = sizes.find('x');
  if (x == std::string_view::npos) return {};
  const int lon = whole_number(sizes.substr(0, x)), lat = whole_number(sizes.substr(x + 1));
  if (lon == 0 || lat == 0) return {};
  return Name{false, lon, lat};
}

}  // namespace

std::vector<double> gaussian_latitudes(int n) {
  std::vector<double> out(static_cast<std::size_t>(n));
  for (int i = 0; i < (n + 1) / 2; ++i) {
    double x = std::cos(std::numbers::pi * (i + 0.75) / (n + 0.5)), step = 1;
    for (int turn = 0; turn < 100 && std::abs(step) > 1e-16; ++turn) {
      double p0 = 1, p1 = x;
      for (int k = 2; k <= n; ++k) {
        const double p2 = ((2 * k - 1) * x * p1 - (k - 1) * p0) / k;
        p0 = p1;
        p1 = p2;
      }
      const double slope = n * (x * p1 - p0) / (x * x - 1);
      step = p1 / slope;
      x -= step;
    }
    if (2 * i + 1 == n) x = 0;
    out[std::size_t(i)] = std::asin(x) / kDegree;
    out[std::size_t(n - 1 - i)] = -out[std::size_t(i)];
  }
  return out;
}

Grid grid_of(const Axis& latitude, const Axis& longitude, const std::function<void(const std::string&)>& note) {
  for (const Axis* a : {&latitude, &longitude})
    if (a->coordinates.empty()) throw Error(ErrorKind::data, "climate.grid", "the axis '" + a->name + "' has no coordinates", "give a file with latitudes and longitudes");
  check_coordinates(latitude, AxisRole::latitude);
  check_coordinates(longitude, AxisRole::longitude);
  Grid g;
  g.lat = latitude.coordinates;
  g.lon = longitude.coordinates;
  if (latitude.bounds.empty()) {
    g.lat_cells = halfway(g.lat);
    if (g.lat.size() > 1) close_poles(g.lat_cells);
    else g.points_along = latitude.name;
    g.derived_cells = true;
  } else {
    check_bounds(latitude, AxisRole::latitude, note);
    for (auto [a, b] : latitude.bounds) g.lat_cells.push_back({std::clamp(std::min(a, b), -90.0, 90.0), std::clamp(std::max(a, b), -90.0, 90.0)});
  }
  if (longitude.bounds.empty()) {
    const auto x = unwrapped(g.lon);
    g.lon_cells = halfway(x);
    if (x.size() == 1) g.points_along = longitude.name;
    const double around = x.size() > 1 ? std::abs(x.back() - x.front()) * double(x.size()) / double(x.size() - 1) : 0;
    if (std::abs(around - 360) < 360 * 1e-4) {  // the seam is one edge, without a sliver between
      auto& first = g.lon_cells.front();
      auto& last = g.lon_cells.back();
      if (x.back() > x.front()) last[1] = first[0] + 360;
      else last[0] = first[1] - 360;
    }
    for (std::size_t i = 0; i < x.size(); ++i)
      for (double& e : g.lon_cells[i]) e += g.lon[i] - x[i];
    g.derived_cells = true;
  } else {
    check_bounds(longitude, AxisRole::longitude, note);
    for (std::size_t i = 0; i < g.lon.size(); ++i) {
      auto [a, b] = longitude.bounds[i];
      a -= 360 * std::round((a - g.lon[i]) / 360);
      b -= 360 * std::round((b - g.lon[i]) / 360);
      g.lon_cells.push_back({std::min(a, b), std::max(a, b)});
    }
  }
  double sum = 0;
  for (const auto& c : g.lon_cells) sum += c[1] - c[0];
  g.circular = std::abs(sum - 360) < 1e-3;
  if (sum > 360 + 1e-3) {
    throw Error(ErrorKind::data, "climate.grid", fmt::format("the cells of '{}' span {} degrees, more than a turn", longitude.name, sum), "drop the meridians that repeat");
  }
  return g;
}

Grid grid_of(const LabelledArray& array, const std::function<void(const std::string&)>& note) {
  return grid_of(array.axes[std::size_t(require_axis(array, AxisRole::latitude))], array.axes[std::size_t(require_axis(array, AxisRole::longitude))], note);
}

bool is_grid_name(std::string_view name) noexcept { return parsed(name).has_value(); }

Grid grid_from_name(std::string_view name) {
  const auto n = parsed(name);
  if (!n) {
    throw Error(ErrorKind::usage, "climate.grid", fmt::format("'{}' is no grid", name), "write r360x180, r144x73, n32 or F32, or give a NetCDF file that has the grid");
  }
  Axis lat, lon;
  lat.name = "lat";
  lon.name = "lon";
  if (n->gaussian) {
    lat.coordinates = gaussian_latitudes(n->lat);
  } else if (n->lat % 2 == 1 && n->lat > 1) {
    for (int j = 0; j < n->lat; ++j) lat.coordinates.push_back(-90 + 180.0 * j / (n->lat - 1));
  } else {
    for (int j = 0; j < n->lat; ++j) lat.coordinates.push_back(-90 + 180.0 * (j + 0.5) / n->lat);
  }
  for (int i = 0; i < n->lon; ++i) lon.coordinates.push_back(360.0 * i / n->lon);
  if (n->lat == 1) lat.bounds = {{-90, 90}};
  if (n->lon == 1) lon.bounds = {{-180, 180}};
  return grid_of(lat, lon);
}

void require_cells(const Grid& g) {
  if (g.points_along.empty()) return;
  throw Error(ErrorKind::data, "climate.grid", fmt::format("'{}' has one position and no bounds: how far its cell reaches is not known", g.points_along),
              "give it bounds, or more positions; nearest and bilinear need no cells");
}

std::vector<double> cell_areas(const Grid& g) {
  require_cells(g);
  std::vector<double> out;
  out.reserve(g.lat.size() * g.lon.size());
  for (const auto& y : g.lat_cells) {
    const double height = std::sin(y[1] * kDegree) - std::sin(y[0] * kDegree);
    for (const auto& x : g.lon_cells) out.push_back(height * (x[1] - x[0]) * kDegree);
  }
  return out;
}

std::vector<double> latitude_weights(const std::vector<double>& latitudes) {
  std::vector<double> out;
  double sum = 0;
  for (double y : latitudes) {
    out.push_back(std::max(0.0, std::cos(y * kDegree)));
    sum += out.back();
  }
  for (double& w : out) w *= double(latitudes.size()) / sum;
  return out;
}

Axis latitude_axis(const Grid& g) {
  Axis a;
  a.name = "lat";
  a.unit = "degrees_north";
  a.coordinates = g.lat;
  a.attributes = {{"standard_name", "latitude"}, {"long_name", "latitude"}, {"axis", "Y"}};
  a.bounds = g.lat_cells;
  return a;
}

Axis longitude_axis(const Grid& g) {
  Axis a;
  a.name = "lon";
  a.unit = "degrees_east";
  a.coordinates = g.lon;
  a.attributes = {{"standard_name", "longitude"}, {"long_name", "longitude"}, {"axis", "X"}};
  a.bounds = g.lon_cells;
  return a;
}

LabelledArray without_doubled_meridian(const LabelledArray& array) {
  const auto k = find_axis(array, AxisRole::longitude);
  if (!k || !is_cyclic_doubled(array.axes[std::size_t(*k)])) return array;
  LabelledArray out = array;
  Axis& lon = out.axes[std::size_t(*k)];
  const auto n = std::int64_t(lon.coordinates.size()) - 1;
  lon.coordinates.pop_back();
  if (!lon.bounds.empty()) lon.bounds.pop_back();
  out.values = array.values.narrow(*k, 0, n);
  std::erase_if(out.auxiliary, [&](const LabelledArray& extra) { return std::any_of(extra.axes.begin(), extra.axes.end(), [&](const Axis& a) { return a.name == lon.name; }); });
  return out;
}

}  // namespace tenon::climate
