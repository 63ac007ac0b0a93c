/// Which axis is latitude, longitude, time or height, and what a coordinate may be (CF sections 4 and 5, 7.1).
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "climate/io/netcdf_file.hpp"
#include "climate/io/time_units.hpp"
#include "tenon/labelled.hpp"

namespace tenon::climate {

enum class AxisRole { other, latitude, longitude, time, vertical };
std::string_view name_of(AxisRole role) noexcept;

/// By standard_name, then units, then the attribute `axis`, then the name. Projected and rotated coordinates are `other`.
AxisRole role_of(std::string_view name, std::string_view standard_name, std::string_view units, std::string_view axis, std::string_view positive = {});
AxisRole role_of(const Axis& axis);
AxisRole role_of(const Variable& variable);

/// Position of the axis of that role; nothing where there is none.
std::optional<int> find_axis(const LabelledArray& array, AxisRole role);
/// The same; throws climate.no_axis naming the array's axes.
int require_axis(const LabelledArray& array, AxisRole role);

/// Refuses NaN, latitudes beyond 90 degrees, and latitudes or longitudes that run neither up nor down (longitudes may pass the date line once).
/// climate.coordinate, with the index.
void check_coordinates(const Axis& axis, AxisRole role);
/// Refuses cells that overlap or do not hold their coordinate (climate.bounds, with the index); tells of gaps. For latitude and longitude.
void check_bounds(const Axis& axis, AxisRole role, const std::function<void(const std::string&)>& note);
/// Does the last meridian repeat the first, 360 degrees on?
bool is_cyclic_doubled(const Axis& longitude);

/// What was read beside the axis itself: `order` holds the positions to take, in order, where times were sorted or dropped; empty: all as they are.
struct AxisRead {
  Axis axis;
  std::vector<std::int64_t> order;
};
struct CoordinateOptions {
  TimeOptions time;
  std::string latitude, longitude;  ///< names of the variables that hold them, where the file does not say
};
/// The axis of a dimension as `variable` sees it: its coordinate variable, bounds, decoded time, or labels.
AxisRead read_axis(const NetcdfFile& file, const Variable& variable, std::size_t dimension, const CoordinateOptions& options, const std::function<void(const std::string&)>& note);
/// The variable that `name` means where `variable` mentions it: in its group, then in the groups around. Null: there is none.
const Variable* mentioned(const NetcdfFile& file, const Variable& variable, std::string_view name);

}  // namespace tenon::climate
