/// Daily fields on a 3 x 4 grid, made by a function of time and place.
#pragma once

#include <cmath>
#include <functional>
#include <numbers>
#include <vector>

#include "climate/io/calendar.hpp"
#include "tenon/labelled.hpp"

namespace tenon::climate_test {

using namespace climate;

/// Daily values over whole years: value(date, place) on a 3 x 4 grid.
inline LabelledArray daily(int first_year, int years, const std::function<double(std::int64_t ticks, std::size_t place)>& value, Calendar c = Calendar::standard) {
  LabelledArray a;
  a.name = "z";
  a.unit = "m";
  Axis time{"time", "days since 2000-01-01", {}, {{"standard_name", "time"}}};
  time.time = TimeCoordinates{std::string(name_of(c)), {}};
  const std::int64_t begin = days_from_date(c, first_year, 1, 1), end = days_from_date(c, first_year + years, 1, 1), origin = days_from_date(c, 2000, 1, 1);
  std::vector<double> v;
  for (std::int64_t d = begin; d < end; ++d) {
    time.time->ticks.push_back(d * kTicksPerDay);
    time.coordinates.push_back(double(d - origin));
    for (std::size_t p = 0; p < 12; ++p) v.push_back(value(d * kTicksPerDay, p));
  }
  a.axes = {time, {"lat", "degrees_north", {-30, 0, 30}, {{"standard_name", "latitude"}}}, {"lon", "degrees_east", {0, 90, 180, 270}, {{"standard_name", "longitude"}}}};
  a.values = Tensor::from(v, {end - begin, 3, 4});
  return a;
}

inline double yearly(std::int64_t ticks) {
  const std::int64_t begin = days_from_date(Calendar::standard, date_from_ticks(Calendar::standard, ticks).year, 1, 1) * kTicksPerDay;
  return 10 * std::cos(2 * std::numbers::pi * double(ticks - begin) / double(kTicksPerDay) / 365.2425);
}

}  // namespace tenon::climate_test
