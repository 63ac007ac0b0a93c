#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "climate/io/coordinates.hpp"
#include "climate/io/dataset.hpp"
#include "climate/io/stored.hpp"
#include "climate/io/units.hpp"
#include "climate/io/unpack.hpp"
#include "tenon/error.hpp"

namespace tenon::climate {
namespace {

using Note = std::function<void(const std::string&)>;

std::string leaf(std::string_view name) { return std::string(name.substr(name.rfind('/') + 1)); }

bool is_one_dimensional(const Variable& v, std::size_t dimension) { return v.dimensions.size() == 1 && v.dimensions[0] == dimension; }

/// Names of positions: characters [position, length].
bool is_labels(const Variable& v, std::size_t dimension) { return v.type == NcType::character && v.dimensions.size() == 2 && v.dimensions[0] == dimension; }

std::vector<double> doubles(const NetcdfFile& file, const Variable& v, const Note& note) {
  Packing packing(v);
  for (const auto& n : packing.notes) note(n);
  const auto shape = file.shape(v);
  return read_values(file, v, packing, std::vector<std::int64_t>(shape.size(), 0), shape).values.to_vector();
}

/// The coordinate variable of a dimension: of the same name; else a variable along it alone that says, or whose name says, what it is.
const Variable* coordinate_of(const NetcdfFile& file, const Variable& user, std::size_t dimension, const CoordinateOptions& options, const Note& note) {
  const auto& dim = file.header().dimensions[dimension];
  for (const auto* named : {&options.latitude, &options.longitude}) {
    if (named->empty()) continue;
    const Variable& v = file.variable(*named);
    if (is_one_dimensional(v, dimension)) return &v;
  }
  if (const Variable* v = file.find(dim.name); v && (is_one_dimensional(*v, dimension) || is_labels(*v, dimension))) return v;
  if (const Variable* v = mentioned(file, user, leaf(dim.name)); v && is_one_dimensional(*v, dimension)) return v;
  // By what it says of itself. Where latitude and longitude both run along the dimension, it counts places and is no axis of either.
  const Variable* found = nullptr;
  for (const auto& v : file.header().variables) {
    const AxisRole role = role_of(v);
    if (!is_one_dimensional(v, dimension) || !is_number(v.type) || (role != AxisRole::latitude && role != AxisRole::longitude && role != AxisRole::time)) continue;
    if (found && role_of(*found) != role) return nullptr;
    if (!found) found = &v;
  }
  if (found == &user) return nullptr;
  if (found) note(fmt::format("dimension '{}' has no coordinate of its name: '{}' is taken for its {}", dim.name, found->name, name_of(role_of(*found))));
  return found;
}

/// Degrees in one of the unit of a latitude or longitude.
double degrees_of(const Variable& v, const std::string& unit, AxisRole role) {
  if (const auto degrees = degrees_in(unit)) return *degrees;
  throw Error(ErrorKind::data, "climate.units", fmt::format("'{}' says that it is a {}, and its unit '{}' is no angle", v.name, name_of(role), unit),
              role == AxisRole::latitude ? "mend its attribute units (degrees_north), or what makes it a latitude" : "mend its attribute units (degrees_east), or what makes it a longitude");
}

/// Latitudes and longitudes are in degrees in memory, whatever angle the file has.
void to_degrees(const Variable& v, Axis& axis, AxisRole role, const Note& note) {
  if (axis.unit.empty()) return;
  const double factor = degrees_of(v, axis.unit, role);
  if (factor == 1) return;
  for (double& x : axis.coordinates) x *= factor;
  const char* unit = role == AxisRole::latitude ? "degrees_north" : "degrees_east";
  note(fmt::format("'{}' is in {}: taken, and written, in {}", v.name, axis.unit, unit));
  axis.unit = unit;
}

void read_bounds(const NetcdfFile& file, const Variable& v, Axis& axis, const TimeUnits* units, const Note& note, std::optional<AxisRole> angle = {}) {
  std::string attribute = "bounds", name = v.text("bounds");
  if (name.empty()) name = v.text(attribute = "climatology");
  if (name.empty()) return;
  const Variable* b = mentioned(file, v, name);
  if (!b) {
    note(fmt::format("'{}' names {} '{}', which is not there", v.name, attribute, name));
    return;
  }
  const auto shape = file.shape(*b);
  if (b == &v || shape.size() != 2 || b->dimensions[0] != v.dimensions[0] || shape[1] != 2 || !is_number(b->type)) {
    note(fmt::format("'{}' has bounds '{}', which are not [{}, 2]; they are not used", v.name, b->name, axis.name));
    return;
  }
  const auto x = doubles(file, *b, note);
  // Bounds have the unit of their coordinate, unless they say another.
  const std::string unit = b->text("units").empty() ? v.text("units") : b->text("units");
  const double factor = angle && !unit.empty() ? degrees_of(*b, unit, *angle) : 1;
  for (std::size_t i = 0; i + 1 < x.size(); i += 2) axis.bounds.push_back({x[i] * factor, x[i + 1] * factor});
  if (!b->find("scale_factor") && !b->find("add_offset")) axis.attributes[kBoundsType] = name_of(b->type);
  for (const auto& a : b->attributes)
    if (a.is_text() && a.name != "units" && a.name != "calendar") axis.attributes[kBounds + a.name] = a.text();  // units are those of the axis
  if (!units) return;
  for (std::size_t i = 0; i < axis.bounds.size(); ++i) {
    if (std::isnan(axis.bounds[i][0]) || std::isnan(axis.bounds[i][1])) {
      note(fmt::format("bounds of '{}': cell {} is not a number; they are not used", v.name, i));
      axis.bounds.clear();
      axis.time->bounds.clear();
      return;
    }
    axis.time->bounds.push_back({units->ticks(axis.bounds[i][0], std::int64_t(i)), units->ticks(axis.bounds[i][1], std::int64_t(i))});
  }
}

/// Times in order: positions to take. Refuses what repeats or runs backwards unless told.
std::vector<std::int64_t> ordered(const Axis& axis, const TimeOptions& options) {
  const auto& t = axis.time->ticks;
  const Calendar calendar = calendar_from_name(axis.time->calendar);
  auto at = [&](std::size_t i) { return date_text(calendar, t[i]); };
  bool sorted = true;
  for (std::size_t i = 1; i < t.size() && sorted; ++i) sorted = t[i] > t[i - 1];
  if (sorted) return {};
  std::vector<std::int64_t> order(t.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return t[std::size_t(a)] < t[std::size_t(b)]; });
  if (options.order == "refuse") {
    bool descending = true;
    for (std::size_t i = 1; i < t.size(); ++i) descending = descending && t[i] < t[i - 1];
    for (std::size_t i = 1; i < t.size(); ++i) {
      if (t[i] == t[i - 1]) throw Error(ErrorKind::data, "climate.time_order", fmt::format("times {} and {} are both {}", i - 1, i, at(i)), "give --time-order first or last to keep one of them");
      if (t[i] < t[i - 1]) throw Error(ErrorKind::data, "climate.time_order", fmt::format("time {} is {}, before time {} ({})", i, at(i), i - 1, at(i - 1)), "give --time-order sort");
    }
  }
  std::vector<std::int64_t> kept;
  for (std::size_t k = 0; k < order.size(); ++k) {
    const bool again = k > 0 && t[std::size_t(order[k])] == t[std::size_t(order[k - 1])];
    if (!again) {
      kept.push_back(order[k]);
    } else if (options.order == "last") {
      kept.back() = order[k];
    } else if (options.order == "sort") {
      throw Error(ErrorKind::data, "climate.time_order", fmt::format("times {} and {} are both {}", order[k - 1], order[k], at(std::size_t(order[k]))), "give --time-order first or last to keep one of them");
    }
  }
  return kept;
}

template <class T> void take(std::vector<T>& values, const std::vector<std::int64_t>& order) {
  if (values.empty()) return;
  std::vector<T> out;
  for (auto i : order) out.push_back(values[std::size_t(i)]);
  values = std::move(out);
}

void decode_time(const NetcdfFile& file, const Variable& v, AxisRead& out, const TimeOptions& options, const Note& note) {
  std::string odd;
  const Attribute* calendar_attribute = v.find("calendar");
  const Calendar calendar = calendar_attribute ? calendar_from_name(v.text("calendar"), &odd) : Calendar::standard;
  if (!odd.empty()) note(fmt::format("'{}': {}", v.name, odd));
  Axis& axis = out.axis;
  const TimeUnits units(axis.unit, calendar, options);
  axis.time.emplace();
  axis.time->calendar = name_of(calendar);
  const bool whole = is_integer(v.type) && !v.find("scale_factor") && !v.find("add_offset");
  if (whole) {  // whole numbers past 2^53 stay exact
    Packing packing(v);
    const auto shape = file.shape(v);
    const auto values = read_values(file, v, packing, std::vector<std::int64_t>{0}, shape);
    if (values.missing == 0 && values.values.dtype() == DType::i64) {
      const auto span = values.values.span<std::int64_t>();
      for (std::size_t i = 0; i < span.size(); ++i) axis.time->ticks.push_back(units.ticks_of_integer(span[i], std::int64_t(i)));
    }
  }
  if (axis.time->ticks.empty())
    for (std::size_t i = 0; i < axis.coordinates.size(); ++i) axis.time->ticks.push_back(units.ticks(axis.coordinates[i], std::int64_t(i)));
  read_bounds(file, v, axis, &units, note);
  // Ferret and COARDS write the months of a climatology into year 0.
  const auto& t = axis.time->ticks;
  if (units.reference_in_year_0() && !t.empty() && date_from_ticks(calendar, t.front()).year == 0 && date_from_ticks(calendar, t.back()).year == 0) {
    note(fmt::format("'{}' lies in year 0: a climatology, not dates", v.name));
    axis.attributes["modulo"] = "true";
  }
  out.order = ordered(axis, options);
  if (out.order.empty()) return;
  note(fmt::format("'{}': {} times put in order, {} of {} kept", v.name, t.size(), out.order.size(), t.size()));
  take(axis.coordinates, out.order);
  take(axis.bounds, out.order);
  take(axis.time->ticks, out.order);
  take(axis.time->bounds, out.order);
}

}  // namespace

const Variable* mentioned(const NetcdfFile& file, const Variable& variable, std::string_view name) {
  if (!name.empty() && name.front() == '/') return file.find(name.substr(1));
  std::string group = variable.name.substr(0, variable.name.rfind('/') == std::string::npos ? 0 : variable.name.rfind('/') + 1);
  while (true) {
    if (const Variable* v = file.find(group + std::string(name))) return v;
    if (group.empty()) return nullptr;
    group.pop_back();
    const std::size_t slash = group.rfind('/');
    group.erase(slash == std::string::npos ? 0 : slash + 1);
  }
}

AxisRead read_axis(const NetcdfFile& file, const Variable& user, std::size_t dimension, const CoordinateOptions& options, const Note& note) {
  AxisRead out;
  const auto& dim = file.header().dimensions[dimension];
  out.axis.name = leaf(dim.name);
  if (dim.unlimited) out.axis.attributes[kUnlimited] = "true";
  const Variable* v = coordinate_of(file, user, dimension, options, note);
  if (!v || (v == &user && v->name != dim.name)) return out;
  for (const auto& a : v->attributes) keep_attribute(a, out.axis.attributes, out.axis.numbers);
  if (!v->find("scale_factor") && !v->find("add_offset")) out.axis.attributes[kStoredType] = name_of(v->type);
  out.axis.unit = v->text("units");
  out.axis.attributes.erase("units");
  if (v->name != dim.name) out.axis.attributes["coordinate"] = v->name;
  if (v->type == NcType::character || v->type == NcType::string) out.axis.labels = file.read_texts(*v);
  if (!is_number(v->type)) return out;
  out.axis.coordinates = doubles(file, *v, note);
  AxisRole role = role_of(*v);
  if (!options.latitude.empty() && v->name == options.latitude) role = AxisRole::latitude;
  if (!options.longitude.empty() && v->name == options.longitude) role = AxisRole::longitude;
  if ((role == AxisRole::latitude || role == AxisRole::longitude) && v->text("standard_name").empty()) {
    out.axis.attributes["standard_name"] = name_of(role);
    if (out.axis.unit.empty()) {
      note(fmt::format("'{}' has no units: taken for {} in degrees by its name", v->name, name_of(role)));
      out.axis.unit = role == AxisRole::latitude ? "degrees_north" : "degrees_east";
    }
  }
  const bool angle = role == AxisRole::latitude || role == AxisRole::longitude;
  if (angle) to_degrees(*v, out.axis, role, note);
  check_coordinates(out.axis, role);
  if (role == AxisRole::longitude && is_cyclic_doubled(out.axis)) {
    note(fmt::format("'{}': the meridians {} and {} are one; sums and regridding take it once", v->name, out.axis.coordinates.front(), out.axis.coordinates.back()));
  }
  if (role == AxisRole::time) decode_time(file, *v, out, options.time, note);
  else read_bounds(file, *v, out.axis, nullptr, note, angle ? std::optional(role) : std::nullopt);
  return out;
}

}  // namespace tenon::climate
