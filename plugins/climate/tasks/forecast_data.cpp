#include "climate/tasks/forecast_data.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "climate/tasks/params.hpp"
#include "climate/tasks/suspects.hpp"
#include "tenon/error.hpp"

namespace tenon::climate {
namespace {

bool within(const std::vector<std::int64_t>& period, std::int64_t year) { return year >= period[0] && year <= period[1]; }
bool contains(const std::vector<std::int64_t>& years, std::int64_t year) { return std::find(years.begin(), years.end(), year) != years.end(); }

bool is_fitted_on(const ForecastDataSettings& s, std::int64_t year) { return within(s.fit, year) && !contains(s.hold_back, year); }

}  // namespace

ParamSpec forecast_data_params() {
  return {
      path_param("file", "", "NetCDF file with the variable through time on a latitude-longitude grid", true),
      text_param("variable", "", "its name in the file; empty: the only one with time, latitude and longitude"),
      text_param("unit", "", "the unit that the file must give it in; empty: any"),
      text_param("score_unit", "", "unit of scores and reports, any that the file's can be turned into; empty: the file's"),
      real_param("step_hours", 24, "time from one field to the next", 0.01, 24 * 366, "h"),
      integers_param("fit", {}, "first and last year that models are fitted on, e.g. [2001, 2006]", -1000000, 1000000),
      integers_param("hold_back", {}, "years of these that are not fitted on and make the validation split, for choices; empty: the score years do", -1000000, 1000000),
      integers_param("score", {}, "first and last year that forecasts are scored on; every field of them is verified", -1000000, 1000000),
      integers_param("climatology_years", {}, "first and last year of the climatology; empty: the years fitted on", -1000000, 1000000),
      integer_param("harmonics", 3, "annual harmonics of the climatology at each grid point", 0, 50),
  };
}

ForecastDataSettings forecast_data_settings(const ParamValues& v) {
  ForecastDataSettings s;
  s.file = v.text("file");
  s.variable = v.text("variable");
  s.unit = v.text("unit");
  s.score_unit = v.text("score_unit").empty() ? s.unit : v.text("score_unit");
  s.step_hours = v.real("step_hours");
  s.harmonics = v.integer("harmonics");
  auto period = [&](const std::string& key) {
    const auto& years = v.integers(key);
    if (years.size() == 2 && years[0] > years[1]) refuse_recipe("data." + key, fmt::format("the years are reversed: {} comes after {}", years[0], years[1]), fmt::format("write [{}, {}]", years[1], years[0]));
    if (years.size() != 2) refuse_recipe("data." + key, std::to_string(years.size()) + " values", "give the first and the last year, e.g. [2001, 2006]");
    return years;
  };
  s.fit = period("fit");
  s.score = period("score");
  s.hold_back = v.integers("hold_back");
  if (!v.integers("climatology_years").empty()) s.climatology_years = period("climatology_years");
  auto leak = [](const std::string& key, const std::string& what) {
    throw Error(ErrorKind::usage, "climate.leak", key + ": " + what, "what is fitted must not see what is scored: give periods that share no year", key);
  };
  if (s.fit[0] <= s.score[1] && s.score[0] <= s.fit[1])
    leak("data.score", fmt::format("the score years {}-{} and the fit years {}-{} overlap", s.score[0], s.score[1], s.fit[0], s.fit[1]));
  for (auto year : s.hold_back)
    if (!within(s.fit, year)) refuse_recipe("data.hold_back", fmt::format("{} is no year of the fit period", year), "name years of data.fit");
  if (!s.climatology_years.empty()) {
    const auto& c = s.climatology_years;
    if (c[0] <= s.score[1] && s.score[0] <= c[1]) leak("data.climatology_years", fmt::format("the climatology of {}-{} would see the score years {}-{}", c[0], c[1], s.score[0], s.score[1]));
    for (auto year : s.hold_back)
      if (within(c, year)) leak("data.climatology_years", fmt::format("the climatology of {}-{} would see {}, which is held back", c[0], c[1], year));
  }
  bool any = false;
  for (auto year = s.fit[0]; year <= s.fit[1]; ++year) any |= is_fitted_on(s, year);
  if (!any) refuse_recipe("data.hold_back", "every year of the fit period is held back", "leave some to fit on");
  return s;
}

void require_described(const FieldSeries& series, const ForecastDataSettings& s) {
  const std::string file = s.file.string();
  if (!s.unit.empty() && series.unit != s.unit)
    throw Error(ErrorKind::data, "climate.unit", "'" + series.variable + "' is in '" + series.unit + "', the recipe says '" + s.unit + "'",
                "correct data.unit, or convert the file", file);
  if (!s.score_unit.empty()) {
    try {
      unit_conversion(series.unit, s.score_unit);
    } catch (const Error& e) {
      throw Error(ErrorKind::data, e.code(), "data.score_unit: " + e.message(), "'" + series.variable + "' is in '" + series.unit + "': give a unit that this can be turned into", file);
    }
  }
  for (const auto* period : {&s.fit, &s.score})
    for (auto year : *period)
      if (!contains(series.year, year))
        throw Error(ErrorKind::data, "climate.no_such_year",
                    fmt::format("there is no field of {}: the file holds {} to {}", year, series.date(0), series.date(series.times() - 1)), "correct data.fit and data.score", file);
  std::int64_t steps = 0;
  for (std::size_t t = 1; t < series.ticks.size(); ++t) steps += series.ticks[t] - series.ticks[t - 1] == s.step_ticks();
  if (2 * steps < series.times())
    throw Error(ErrorKind::data, "climate.step",
                fmt::format("{} of {} fields follow their predecessor after {:g} h", steps, series.times(), s.step_hours), "correct data.step_hours", file);
}

UnitConversion convert_units(FieldSeries& series, const std::string& unit) {
  if (unit.empty() || unit == series.unit) return {};
  const UnitConversion c = unit_conversion(series.unit, unit);
  for (float& v : series.values) v = float(double(v) * c.factor + c.offset);
  return c;
}

ForecastData ForecastData::load(const ForecastDataSettings& s, const Known* known) {
  ForecastData d;
  d.series = read_series(s.file, s.variable);
  require_described(d.series, s);
  d.suspects = suspects_text(d.series);
  if (known) bring_to(d.series, known->grid);
  d.conversion = convert_units(d.series, s.score_unit);
  const GridSpec& grid = d.series.grid;
  d.row_weights = grid.row_weights();
  for (double w : d.row_weights) d.point_weights.insert(d.point_weights.end(), std::size_t(grid.columns()), w);
  std::vector<std::int64_t> base;
  for (std::int64_t t = 0; t < d.series.times(); ++t) {
    const std::int64_t year = d.series.year[std::size_t(t)];
    d.fitted.push_back(is_fitted_on(s, year));
    if (s.climatology_years.empty() ? is_fitted_on(s, year) : within(s.climatology_years, year)) base.push_back(t);
  }
  d.climatology = known ? known->climatology : HarmonicClimatology::fit(d.series, base, int(s.harmonics));
  d.anomalies.values = d.climatology.anomalies(d.series);
  d.anomalies.ticks = d.series.ticks;
  d.anomalies.year = d.series.year;
  d.anomalies.points = grid.points();
  d.anomalies.step = s.step_ticks();
  if (known) {
    d.scale = known->scale;
  } else {
    double square = 0;
    std::int64_t n = 0;
    for (std::int64_t t = 0; t < d.series.times(); ++t) {
      if (!d.fitted[std::size_t(t)]) continue;
      const float* field = d.anomalies.field(t);
      for (std::int64_t p = 0; p < grid.points(); ++p) square += d.point_weights[std::size_t(p)] * double(field[p]) * double(field[p]);
      n += grid.points();
    }
    d.scale = square > 0 ? std::sqrt(square / double(n)) : 1;
  }
  return d;
}

std::vector<std::int64_t> ForecastData::verifying(const ForecastDataSettings& s, const std::string& split) const {
  std::vector<std::int64_t> list;
  for (std::int64_t t = 0; t < series.times(); ++t) {
    const std::int64_t year = series.year[std::size_t(t)];
    const bool scored = within(s.score, year), held = contains(s.hold_back, year);
    if (split == "train" ? bool(fitted[std::size_t(t)]) : split == "validation" && !s.hold_back.empty() ? held : scored) list.push_back(t);
  }
  return list;
}

}  // namespace tenon::climate
