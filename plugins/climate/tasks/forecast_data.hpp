/// What the forecasting task forecasts: a series of fields, the periods it is fitted and scored on, its anomalies.
///
/// Periods are whole calendar years. What is fitted (climatology, patterns, linear models, networks, scales) sees the fit years without those
/// held back; nothing of it sees a score year.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "climate/io/units.hpp"
#include "climate/tasks/climatology.hpp"
#include "climate/tasks/linear_forecast.hpp"
#include "tenon/params.hpp"
#include "tenon/task.hpp"

namespace tenon::climate {

struct ForecastDataSettings {
  std::filesystem::path file;
  std::string variable, unit, score_unit;
  double step_hours = 24;
  std::vector<std::int64_t> fit, score;  ///< first and last year
  std::vector<std::int64_t> hold_back;   ///< years of the fit period that are kept for choices
  std::vector<std::int64_t> climatology_years;  ///< empty: those fitted on
  std::int64_t harmonics = 3;

  std::int64_t step_ticks() const { return std::int64_t(step_hours * 3600) * kTicksPerSecond; }
};

ParamSpec forecast_data_params();
/// Throws climate.recipe for values that make no sense, climate.leak for periods that share a year.
ForecastDataSettings forecast_data_settings(const ParamValues& values);

/// Refuses a series that the recipe does not describe: climate.unit, climate.units (of the score's), climate.no_such_year, climate.step.
void require_described(const FieldSeries& series, const ForecastDataSettings& settings);

/// The series' values into `unit` (empty: as they are); returns how. Throws climate.units.
UnitConversion convert_units(FieldSeries& series, const std::string& unit);

struct ForecastData {
  FieldSeries series;                 ///< in the score's unit
  HarmonicClimatology climatology;    ///< likewise
  AnomalySeries anomalies;
  std::vector<double> row_weights, point_weights;
  std::vector<char> fitted;           ///< positions that fitting may look at
  UnitConversion conversion;          ///< from the file's unit to the score's
  double scale = 1;                   ///< weighted root mean square of the anomalies fitted on
  std::string suspects;               ///< see suspects.hpp, in the file's unit

  /// What a trained model keeps: fields are brought into the order of its grid.
  struct Known {
    const HarmonicClimatology& climatology;
    const GridSpec& grid;
    double scale;
  };
  static ForecastData load(const ForecastDataSettings& settings, const Known* known);
  /// Positions whose year lies in "validation" (held back, or the score years where none are), "test" (the score years) or "train".
  std::vector<std::int64_t> verifying(const ForecastDataSettings& settings, const std::string& split) const;
};

}  // namespace tenon::climate
