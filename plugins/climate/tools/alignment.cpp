#include "climate/tools/alignment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "climate/io/coordinates.hpp"
#include "climate/io/units.hpp"
#include "climate/tools/cycle.hpp"
#include "tenon/error.hpp"
#include "tenon/indexing.hpp"

namespace tenon::climate {
namespace {

constexpr double kSameDegree = 1e-4;

std::size_t length(const Axis& a) { return std::max(a.coordinates.size(), a.labels.size()); }

/// "lat: 17 from 70 to 30".
std::string axis_text(const Axis& a) {
  if (!a.coordinates.empty()) return fmt::format("{}: {} from {:.7g} to {:.7g}{}", a.name, a.coordinates.size(), a.coordinates.front(), a.coordinates.back(), role_of(a) == AxisRole::vertical ? " " + a.unit : "");
  return fmt::format("{}: {} names", a.name, a.labels.size());
}

bool same_place(AxisRole role, double x, double y) {
  if (role == AxisRole::latitude) return std::abs(x - y) < kSameDegree;
  if (role == AxisRole::longitude) return std::abs(x - y - 360 * std::round((x - y) / 360)) < kSameDegree;
  return std::abs(x - y) <= 1e-6 * std::max({1e-30, std::abs(x), std::abs(y)});
}

[[noreturn]] void elsewhere(const Axis& offered, const Axis& wanted, const std::string& place, const std::string& offerer, const std::string& wanter) {
  throw Error(ErrorKind::data, "climate.grid", fmt::format("{} has no {} {}, which {} has ({} {}; {} {})", offerer, wanted.name, place, wanter, offerer, axis_text(offered), wanter, axis_text(wanted)),
              "bring both to one grid with `tenon climate regrid` or `select`");
}

/// The axis of `array` that plays the part of `like`: by what it is, else by its name.
std::optional<int> counterpart(const LabelledArray& array, const Axis& like) {
  const AxisRole role = role_of(like);
  if (role != AxisRole::other) return find_axis(array, role);
  for (std::size_t k = 0; k < array.axes.size(); ++k)
    if (array.axes[k].name == like.name) return int(k);
  return {};
}

Tensor picked(const Tensor& values, int axis, const std::vector<std::int64_t>& order) {
  return index_select(values, axis, Tensor::from(order, {std::int64_t(order.size())}));
}

/// Grids along two dimensions carry their latitudes and longitudes beside them: these must agree.
void require_same_auxiliary(const LabelledArray& c, const LabelledArray& a) {
  auto role = [](const LabelledArray& x) {
    auto text = [&](const char* name) { return x.attributes.count(name) ? x.attributes.at(name) : std::string(); };
    return role_of(x.name, text("standard_name"), x.unit, text("axis"));
  };
  for (const auto& mine : a.auxiliary) {
    const AxisRole kind = role(mine);
    if (mine.values.rank() != 2 || (kind != AxisRole::latitude && kind != AxisRole::longitude)) continue;
    for (const auto& other : c.auxiliary) {
      if (other.values.rank() != 2 || role(other) != kind) continue;
      const auto x = mine.values.to_vector(), y = other.values.to_vector();
      const bool same = mine.values.shape() == other.values.shape() && std::equal(x.begin(), x.end(), y.begin(), [&](double p, double q) { return (std::isnan(p) && std::isnan(q)) || same_place(kind, p, q); });
      if (!same) {
        throw Error(ErrorKind::data, "climate.grid", fmt::format("the climatology's {} '{}' ({}) is not the input's '{}' ({})", name_of(kind), other.name, other.values.shape().str(), mine.name, mine.values.shape().str()),
                    "make the climatology from the same grid");
      }
    }
  }
}

void convert(LabelledArray& c, const std::string& unit) {
  if (c.unit == unit) return;
  if (c.unit.empty() || unit.empty()) {
    throw Error(ErrorKind::data, "climate.units", fmt::format("the climatology is in {}, the input in {}", c.unit.empty() ? "no unit" : "'" + c.unit + "'", unit.empty() ? "no unit" : "'" + unit + "'"),
                "give both their attribute units");
  }
  UnitConversion by;
  try {
    by = unit_conversion(c.unit, unit);
  } catch (const Error& e) {
    throw Error(ErrorKind::data, e.code(), fmt::format("the climatology is in '{}', the input in '{}': {}", c.unit, unit, e.message()), "give a climatology of the same quantity");
  }
  c.unit = unit;
  if (by.same()) return;
  const bool single = c.values.dtype() == DType::f32;
  const Tensor values = c.values.to(DType::f64).contiguous().clone();
  for (double& x : values.span<double>()) x = x * by.factor + by.offset;
  c.values = single ? values.to(DType::f32) : values;
}

}  // namespace

LabelledArray arranged(LabelledArray a, const std::vector<int>& first) {
  std::vector<int> order = first;
  for (int k = 0; k < int(a.axes.size()); ++k)
    if (std::find(order.begin(), order.end(), k) == order.end()) order.push_back(k);
  std::vector<int> at(order.size());
  for (std::size_t k = 0; k < at.size(); ++k) at[k] = int(k);
  for (std::size_t k = 0; k < order.size(); ++k) {
    const auto where = std::size_t(std::find(at.begin(), at.end(), order[k]) - at.begin());
    if (where == k) continue;
    a.values = a.values.transpose(int(k), int(where));
    std::swap(a.axes[k], a.axes[where]);
    std::swap(at[k], at[where]);
  }
  return a;
}

std::vector<std::int64_t> places_in(const Axis& offered, const Axis& wanted, const std::string& offerer, const std::string& wanter) {
  std::vector<std::int64_t> out;
  if (!wanted.labels.empty() && !offered.labels.empty()) {
    for (const auto& label : wanted.labels) {
      const auto found = std::find(offered.labels.begin(), offered.labels.end(), label);
      if (found == offered.labels.end()) elsewhere(offered, wanted, "'" + label + "'", offerer, wanter);
      out.push_back(found - offered.labels.begin());
    }
    return out;
  }
  const AxisRole role = role_of(wanted);
  UnitConversion to_offered;
  if (role == AxisRole::vertical && !wanted.unit.empty() && !offered.unit.empty() && wanted.unit != offered.unit) to_offered = unit_conversion(wanted.unit, offered.unit);
  for (double place : wanted.coordinates) {
    const double x = place * to_offered.factor + to_offered.offset;
    const auto found = std::find_if(offered.coordinates.begin(), offered.coordinates.end(), [&](double y) { return same_place(role, x, y); });
    if (found == offered.coordinates.end()) elsewhere(offered, wanted, fmt::format("{:.7g}", place), offerer, wanter);
    out.push_back(found - offered.coordinates.begin());
  }
  return out;
}

LabelledArray aligned_climatology(const LabelledArray& climatology, const LabelledArray& array) {
  LabelledArray c = time_first(climatology);
  const LabelledArray a = time_first(array);
  std::vector<int> order = {0};
  for (std::size_t k = 1; k < a.axes.size(); ++k) {
    const Axis& wanted = a.axes[k];
    const auto at = counterpart(c, wanted);
    if (!at || *at == 0) {
      if (a.values.size(int(k)) == 1) continue;
      throw Error(ErrorKind::data, "climate.grid", fmt::format("the climatology has no axis '{}', along which the input has {} positions", wanted.name, a.values.size(int(k))), "make the climatology from the same grid and levels");
    }
    order.push_back(*at);
    const Axis& offered = c.axes[std::size_t(*at)];
    if (length(wanted) > 0 && length(offered) > 0) {
      const auto places = places_in(offered, wanted, "the climatology", "the input");
      c.values = picked(c.values, *at, places);
      c.axes[std::size_t(*at)] = wanted;
    } else if (c.values.size(*at) != a.values.size(int(k))) {
      throw Error(ErrorKind::data, "climate.grid", fmt::format("the climatology has {} positions along '{}', the input {}", c.values.size(*at), wanted.name, a.values.size(int(k))), "make the climatology from the same grid and levels");
    }
  }
  c = arranged(std::move(c), order);
  while (c.axes.size() > order.size()) {
    const int last = int(c.axes.size()) - 1;
    if (c.values.size(last) != 1) {
      throw Error(ErrorKind::data, "climate.grid", fmt::format("the climatology has {} positions along '{}', an axis that the input lacks", c.values.size(last), c.axes.back().name), "select one of them: `tenon climate select`");
    }
    c.values = c.values.select(last, 0);
    c.axes.pop_back();
  }
  require_same_auxiliary(c, a);
  convert(c, a.unit);
  return c;
}

}  // namespace tenon::climate
