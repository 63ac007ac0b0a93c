#include "climate/tasks/field_series.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "climate/io/dataset.hpp"
#include "tenon/error.hpp"

namespace tenon::climate {
namespace {

constexpr double kSameDegree = 1e-4;

[[noreturn]] void refuse_axes(const LabelledArray& array, const std::string& what, const std::filesystem::path& file) {
  std::string axes;
  for (const auto& a : array.axes) axes += (axes.empty() ? "" : ", ") + a.name;
  throw Error(ErrorKind::data, "climate.axes", "variable '" + array.name + "' (" + axes + ") " + what,
              "give a variable with time, latitude and longitude; tenon climate info FILE lists them, tenon climate select picks one level", file.string());
}

double wrapped(double degrees) {
  const double r = std::fmod(degrees + 180, 360);
  return (r < 0 ? r + 360 : r) - 180;
}

std::string degrees(double v, const char* positive, const char* negative) {
  return fmt::format("{:g}\u00b0{}", std::abs(v), v == 0 ? "" : v > 0 ? positive : negative);
}

}  // namespace

std::vector<double> GridSpec::row_weights() const {
  std::vector<double> w;
  double sum = 0;
  for (double phi : latitude) sum += w.emplace_back(std::max(0.0, std::cos(phi * std::numbers::pi / 180)));
  for (double& v : w) v *= double(w.size()) / sum;
  return w;
}

std::string grid_text(const GridSpec& g) {
  return fmt::format("{} x {}, {} to {}, {} to {}", g.rows(), g.columns(), degrees(g.latitude.front(), "N", "S"), degrees(g.latitude.back(), "N", "S"),
                     degrees(wrapped(g.longitude.front()), "E", "W"), degrees(wrapped(g.longitude.back()), "E", "W"));
}

std::string grid_difference(const GridSpec& a, const GridSpec& b) {
  if (a.rows() != b.rows() || a.columns() != b.columns()) return grid_text(a) + " against " + grid_text(b);
  for (std::size_t i = 0; i < a.latitude.size(); ++i)
    if (std::abs(a.latitude[i] - b.latitude[i]) > kSameDegree) return fmt::format("latitude {} is {} against {}", i, a.latitude[i], b.latitude[i]);
  for (std::size_t i = 0; i < a.longitude.size(); ++i)
    if (std::abs(wrapped(a.longitude[i] - b.longitude[i])) > kSameDegree) return fmt::format("longitude {} is {} against {}", i, a.longitude[i], b.longitude[i]);
  return {};
}

std::optional<GridOrder> order_in(const GridSpec& other, const GridSpec& grid) {
  if (other.rows() != grid.rows() || other.columns() != grid.columns()) return {};
  GridOrder out;
  auto places = [](const std::vector<double>& wanted, const std::vector<double>& offered, bool around, std::vector<std::int64_t>& at) {
    for (double x : wanted) {
      const auto found = std::find_if(offered.begin(), offered.end(), [&](double y) { return std::abs(around ? wrapped(y - x) : y - x) <= kSameDegree; });
      if (found == offered.end()) return false;
      at.push_back(found - offered.begin());
    }
    return true;
  };
  if (!places(grid.latitude, other.latitude, false, out.rows) || !places(grid.longitude, other.longitude, true, out.columns)) return {};
  return out;
}

GridOrder bring_to(FieldSeries& s, const GridSpec& grid) {
  auto order = order_in(s.grid, grid);
  if (!order) throw Error(ErrorKind::data, "climate.grid", "the model was trained on another grid: " + grid_difference(grid, s.grid), "regrid the file first: tenon climate regrid");
  const std::int64_t rows = grid.rows(), columns = grid.columns(), points = grid.points();
  std::vector<float> field(static_cast<std::size_t>(points));
  for (std::int64_t t = 0; t < s.times(); ++t) {
    float* values = s.values.data() + t * points;
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < columns; ++c) field[std::size_t(r * columns + c)] = values[order->rows[std::size_t(r)] * columns + order->columns[std::size_t(c)]];
    std::copy(field.begin(), field.end(), values);
  }
  s.grid = grid;
  return *std::move(order);
}

std::optional<std::int64_t> FieldSeries::at(std::int64_t tick) const {
  const auto found = std::lower_bound(ticks.begin(), ticks.end(), tick);
  if (found == ticks.end() || *found != tick) return {};
  return found - ticks.begin();
}

std::string FieldSeries::date(std::int64_t t) const { return date_text(calendar, ticks[std::size_t(t)]).substr(0, 10); }

double phase_of_year(Calendar calendar, std::int64_t tick) {
  const Date date = date_from_ticks(calendar, tick);
  const Date midnight{date.year, date.month, date.day, 0, 0, 0, 0};
  const double time_of_day = double(tick - ticks_from_date(calendar, midnight)) / double(kTicksPerDay);
  const double year = calendar == Calendar::day_360 ? 360 : calendar == Calendar::noleap ? 365 : calendar == Calendar::all_leap ? 366 : 365.25;
  return (double(day_of_year(calendar, date) - 1) + time_of_day) / year;
}

FieldSeries read_series(const std::filesystem::path& file, const std::string& variable) {
  const auto opened = open_netcdf(file);
  LabelledArray array = read_variable(*opened, variable.empty() ? only_variable(*opened) : variable);
  int time = find_axis(array, AxisRole::time).value_or(-1), latitude = find_axis(array, AxisRole::latitude).value_or(-1),
      longitude = find_axis(array, AxisRole::longitude).value_or(-1);
  if (time < 0 || latitude < 0 || longitude < 0) refuse_axes(array, std::string("has no ") + (time < 0 ? "time" : latitude < 0 ? "latitude" : "longitude") + " axis", file);
  for (int a = 0; a < int(array.axes.size()); ++a)
    if (a != time && a != latitude && a != longitude && array.values.size(a) != 1)
      refuse_axes(array, "has " + std::to_string(array.values.size(a)) + " positions along '" + array.axes[std::size_t(a)].name + "'", file);

  FieldSeries s;
  for (const auto& a : opened->header().attributes)
    if (a.name == "history" && a.is_text()) s.history = a.text();
  s.variable = array.name;
  s.unit = array.unit;
  s.grid.latitude = array.axes[std::size_t(latitude)].coordinates;
  s.grid.longitude = array.axes[std::size_t(longitude)].coordinates;
  const auto& moments = array.axes[std::size_t(time)].time;
  if (!moments) refuse_axes(array, "has a time axis without readable dates", file);
  s.calendar = calendar_from_name(moments->calendar);
  if (s.calendar == Calendar::none) refuse_axes(array, "has a calendar without dates ('none')", file);
  s.ticks = moments->ticks;
  for (std::size_t t = 0; t < s.ticks.size(); ++t) {
    if (t > 0 && s.ticks[t] <= s.ticks[t - 1])
      throw Error(ErrorKind::data, "climate.time_order",
                  fmt::format("time {} ({}) does not come after time {} ({})", t, date_text(s.calendar, s.ticks[t]), t - 1, date_text(s.calendar, s.ticks[t - 1])),
                  "sort the file by time and keep each moment once", file.string());
    s.year.push_back(date_from_ticks(s.calendar, s.ticks[t]).year);
    s.phase.push_back(phase_of_year(s.calendar, s.ticks[t]));
  }
  // The axes of one position lie outermost or innermost after this and change nothing.
  Tensor values = array.values.to(DType::f32);
  for (int a = int(array.axes.size()) - 1; a >= 0; --a)
    if (a != time && a != latitude && a != longitude) {
      values = values.select(a, 0);
      array.axes.erase(array.axes.begin() + a);
      time -= time > a, latitude -= latitude > a, longitude -= longitude > a;
    }
  values = values.permute({time, latitude, longitude}).contiguous();
  const auto data = values.span<float>();
  for (std::size_t i = 0; i < data.size(); ++i)
    if (!std::isfinite(data[i])) {
      const auto t = std::int64_t(i) / s.grid.points();
      const auto point = std::int64_t(i) % s.grid.points();
      const bool missing = std::isnan(data[i]);
      throw Error(ErrorKind::data, missing ? "climate.missing" : "climate.not_finite",
                  fmt::format("'{}' is {} on {} at latitude {:g}, longitude {:g}", s.variable, missing ? "missing" : "infinite", s.date(t), s.grid.latitude[std::size_t(point / s.grid.columns())],
                              s.grid.longitude[std::size_t(point % s.grid.columns())]),
                  missing ? "the task needs whole fields: cut the region to where the variable is known" : "mend the value", file.string());
    }
  s.values.assign(data.begin(), data.end());
  const Axis axes[] = {array.axes[std::size_t(time)], array.axes[std::size_t(latitude)], array.axes[std::size_t(longitude)]};
  array.axes.assign(std::begin(axes), std::end(axes));
  array.values = {};
  s.source = std::move(array);
  return s;
}

}  // namespace tenon::climate
