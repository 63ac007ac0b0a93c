#include "climate/io/coordinates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include "tenon/error.hpp"

namespace tenon::climate {
namespace {

std::string lower(std::string_view text) {
  std::string out;
  for (unsigned char c : text)
    if (c) out += char(std::tolower(c));
  while (!out.empty() && out.back() == ' ') out.pop_back();
  while (!out.empty() && out.front() == ' ') out.erase(0, 1);
  return out;
}

template <std::size_t N> bool one_of(const std::string& text, const std::array<std::string_view, N>& list) { return std::find(list.begin(), list.end(), text) != list.end(); }

constexpr std::array<std::string_view, 6> kNorth = {"degrees_north", "degree_north", "degree_n", "degrees_n", "degreen", "degreesn"};
constexpr std::array<std::string_view, 6> kEast = {"degrees_east", "degree_east", "degree_e", "degrees_e", "degreee", "degreese"};
constexpr std::array<std::string_view, 11> kVerticalNames = {"air_pressure", "height", "altitude", "depth", "model_level_number", "geopotential_height",
                                                             "height_above_reference_ellipsoid", "height_above_geoid", "height_above_mean_sea_level", "sea_water_pressure", "air_potential_temperature"};
constexpr std::array<std::string_view, 12> kVerticalAxes = {"lev", "level", "levels", "plev", "pressure", "pres", "height", "depth", "altitude", "alt", "z", "isobaric"};
constexpr std::array<std::string_view, 9> kPressures = {"pa", "hpa", "mb", "mbar", "millibar", "millibars", "bar", "kpa", "dbar"};

}  // namespace

std::string_view name_of(AxisRole role) noexcept {
  switch (role) {
    case AxisRole::latitude: return "latitude";
    case AxisRole::longitude: return "longitude";
    case AxisRole::time: return "time";
    case AxisRole::vertical: return "vertical";
    default: return "other";
  }
}

AxisRole role_of(std::string_view name, std::string_view standard_name, std::string_view units, std::string_view axis, std::string_view positive) {
  const std::string standard = lower(standard_name), unit = lower(units), short_name = lower(name.substr(name.rfind('/') + 1)), letter = lower(axis);
  if (standard == "latitude") return AxisRole::latitude;
  if (standard == "longitude") return AxisRole::longitude;
  if (standard == "time") return AxisRole::time;
  if (standard.rfind("grid_", 0) == 0 || standard.rfind("projection_", 0) == 0) return AxisRole::other;
  if (one_of(standard, kVerticalNames) || standard.rfind("atmosphere_", 0) == 0 || standard.rfind("ocean_", 0) == 0) return AxisRole::vertical;
  if (one_of(unit, kNorth)) return AxisRole::latitude;
  if (one_of(unit, kEast)) return AxisRole::longitude;
  if (is_time_units(units)) return AxisRole::time;
  if (letter == "t") return AxisRole::time;
  if (letter == "z" || lower(positive) == "up" || lower(positive) == "down" || one_of(unit, kPressures)) return AxisRole::vertical;
  const bool degrees = unit == "degrees" || unit == "degree" || unit == "deg";
  if (letter == "y" && degrees) return AxisRole::latitude;
  if (letter == "x" && degrees) return AxisRole::longitude;
  if (short_name == "lat" || short_name == "latitude" || short_name == "nav_lat") return AxisRole::latitude;
  if (short_name == "lon" || short_name == "longitude" || short_name == "nav_lon") return AxisRole::longitude;
  if (short_name == "time") return AxisRole::time;
  if (one_of(short_name, kVerticalAxes)) return AxisRole::vertical;
  return AxisRole::other;
}

AxisRole role_of(const Axis& a) {
  auto text = [&](const char* name) {
    auto found = a.attributes.find(name);
    return found == a.attributes.end() ? std::string() : found->second;
  };
  if (a.time) return AxisRole::time;
  return role_of(a.name, text("standard_name"), a.unit, text("axis"), text("positive"));
}

AxisRole role_of(const Variable& v) { return role_of(v.name, v.text("standard_name"), v.text("units"), v.text("axis"), v.text("positive")); }

std::optional<int> find_axis(const LabelledArray& array, AxisRole role) {
  for (std::size_t k = 0; k < array.axes.size(); ++k)
    if (role_of(array.axes[k]) == role) return int(k);
  return {};
}

int require_axis(const LabelledArray& array, AxisRole role) {
  if (auto k = find_axis(array, role)) return *k;
  std::string names;
  for (const auto& a : array.axes) names += (names.empty() ? "" : ", ") + a.name;
  throw Error(ErrorKind::data, "climate.no_axis", fmt::format("variable '{}' has no {} axis; its axes: {}", array.name, name_of(role), names.empty() ? "none" : names),
              "give a variable that has one, or name the coordinate with --latitude or --longitude");
}

void check_coordinates(const Axis& axis, AxisRole role) {
  const auto& x = axis.coordinates;
  auto fail = [&](const std::string& what) { throw Error(ErrorKind::data, "climate.coordinate", fmt::format("coordinate '{}': {}", axis.name, what), "mend the coordinate"); };
  if (role != AxisRole::latitude && role != AxisRole::longitude) return;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!std::isfinite(x[i])) fail(fmt::format("value {} is not a number", i));
    // Single precision and round-off of Gaussian grids stay below this.
    if (role == AxisRole::latitude && std::abs(x[i]) > 90 + 1e-4) fail(fmt::format("latitude {} is {} degrees, beyond 90", i, x[i]));
    if (role == AxisRole::longitude && std::abs(x[i]) > 1080) fail(fmt::format("longitude {} is {} degrees", i, x[i]));
  }
  int up = 0, down = 0, jumps = 0;
  for (std::size_t i = 1; i < x.size(); ++i) {
    const double step = x[i] - x[i - 1];
    if (role == AxisRole::longitude && std::abs(step) > 180 && std::abs(step) < 360) {
      if (++jumps > 1) fail(fmt::format("longitude passes the date line again at index {}", i));
      continue;
    }
    (step > 0 ? up : down) += 1;
    if (step == 0 || (up && down)) fail(fmt::format("value {} is {} after {}: it runs neither up nor down", i, x[i], x[i - 1]));
  }
}

void check_bounds(const Axis& axis, AxisRole role, const std::function<void(const std::string&)>& note) {
  if (axis.bounds.empty() || (role != AxisRole::latitude && role != AxisRole::longitude)) return;
  auto fail = [&](const std::string& what) { throw Error(ErrorKind::data, "climate.bounds", fmt::format("bounds of '{}': {}", axis.name, what), "mend the bounds, or drop them to derive cells from the coordinate"); };
  std::vector<std::array<double, 2>> cells;
  for (std::size_t i = 0; i < axis.bounds.size(); ++i) {
    auto [a, b] = axis.bounds[i];
    const double x = axis.coordinates[i];
    if (!std::isfinite(a) || !std::isfinite(b)) fail(fmt::format("cell {} is not a number", i));
    if (role == AxisRole::longitude) {  // to the turn of their coordinate
      a -= 360 * std::round((a - x) / 360);
      b -= 360 * std::round((b - x) / 360);
    }
    if (a > b) std::swap(a, b);
    const double slack = 1e-6 * std::max(1.0, b - a);
    if (x < a - slack || x > b + slack) fail(fmt::format("cell {} is {} to {}, its coordinate {} lies outside", i, a, b, x));
    cells.push_back({a, b});
  }
  bool gap = false;
  for (std::size_t i = 1; i < cells.size(); ++i) {
    double shift = role == AxisRole::longitude ? 360 * std::round((axis.coordinates[i] - axis.coordinates[i - 1]) / 360) : 0;
    auto lower_cell = cells[i - 1], upper = cells[i];
    upper[0] -= shift;
    upper[1] -= shift;
    if (lower_cell[0] > upper[0]) std::swap(lower_cell, upper);
    const double slack = 1e-4 * std::max(lower_cell[1] - lower_cell[0], upper[1] - upper[0]);
    if (upper[0] < lower_cell[1] - slack) fail(fmt::format("cells {} and {} overlap: {} to {} and {} to {}", i - 1, i, lower_cell[0], lower_cell[1], upper[0], upper[1]));
    if (upper[0] > lower_cell[1] + slack && !gap) {
      gap = true;
      note(fmt::format("bounds of '{}': cells {} and {} do not touch ({} and {}); areas are what the bounds say", axis.name, i - 1, i, lower_cell[1], upper[0]));
    }
  }
}

bool is_cyclic_doubled(const Axis& longitude) {
  const auto& x = longitude.coordinates;
  return x.size() > 2 && std::abs(std::abs(x.back() - x.front()) - 360) < 1e-6;
}

}  // namespace tenon::climate
