/// A variable on a latitude-longitude grid through time, as the forecasting task uses it: values, dates, weights.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "climate/io/calendar.hpp"
#include "tenon/labelled.hpp"

namespace tenon::climate {

struct GridSpec {
  std::vector<double> latitude, longitude;  ///< degrees, as the file orders them
  std::int64_t rows() const { return std::int64_t(latitude.size()); }
  std::int64_t columns() const { return std::int64_t(longitude.size()); }
  std::int64_t points() const { return rows() * columns(); }
  /// cos(latitude), scaled to mean 1: one a row.
  std::vector<double> row_weights() const;
};
/// "17 x 33, 30°N to 70°N, 70°W to 10°E": for messages.
std::string grid_text(const GridSpec& grid);
/// What differs between two grids (more than 1e-4 degrees, longitudes modulo 360); empty: nothing.
std::string grid_difference(const GridSpec& a, const GridSpec& b);

/// Where the rows and columns of one grid lie in another.
struct GridOrder {
  std::vector<std::int64_t> rows, columns;
};
/// The places of `grid` in `other`, matched by coordinates (longitudes modulo 360); nothing where `other` is not `grid` in another order.
std::optional<GridOrder> order_in(const GridSpec& other, const GridSpec& grid);

struct FieldSeries {
  std::string variable, unit;
  GridSpec grid;
  Calendar calendar = Calendar::standard;
  std::vector<std::int64_t> ticks;       ///< strictly rising
  std::vector<std::int64_t> year;        ///< of each
  std::vector<double> phase;             ///< share of the year that has passed at each, in [0, 1]
  std::vector<float> values;             ///< times x points, finite
  LabelledArray source;                  ///< axes and attributes as read; its values are dropped
  std::string history;                   ///< the file's attribute

  std::int64_t times() const { return std::int64_t(ticks.size()); }
  const float* field(std::int64_t t) const { return values.data() + t * grid.points(); }
  /// The position of this moment; nothing where there is none.
  std::optional<std::int64_t> at(std::int64_t tick) const;
  /// Date of a position, "2007-01-19".
  std::string date(std::int64_t t) const;
};

/// Reads `variable` (empty: the file's only one with time, latitude and longitude) and brings its axes into that order; an axis of one
/// position beside them is dropped. Throws climate.axes, climate.missing and climate.not_finite (with the date and place of the first such value) and climate.time_order.
FieldSeries read_series(const std::filesystem::path& file, const std::string& variable);

/// Brings the fields into the order of `grid`; `series.source` keeps the file's. Returns where each place lay. Throws climate.grid where they are not
/// the same places.
GridOrder bring_to(FieldSeries& series, const GridSpec& grid);

/// The share of its year that has passed at a moment: (day of year - 1 + time of day) / the calendar's mean year.
double phase_of_year(Calendar calendar, std::int64_t tick);

}  // namespace tenon::climate
