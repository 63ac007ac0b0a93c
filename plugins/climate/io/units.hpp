/// Units of measurement by udunits2 (https://docs.unidata.ucar.edu/udunits/current/), which is not thread-safe: calls are under one lock here.
#pragma once

#include <optional>
#include <string>

namespace tenon::climate {

/// y = x * factor + offset turns a value of one unit into another.
struct UnitConversion {
  double factor = 1, offset = 0;
  bool same() const noexcept { return factor == 1 && offset == 0; }
};

/// Throws climate.units where one is not known or they measure different things. Spellings of files that udunits does not know
/// ("degreesC", "Celsius_scale", "gpm") are tried in its words. For differences of values (errors, anomalies) take the factor alone.
UnitConversion unit_conversion(const std::string& from, const std::string& to);
/// Degrees in one of the unit: 1 for "degrees_north", 57.29... for "radian". Nothing where it is no angle; a bare number ("1") is none, though radians are
/// numbers to udunits. Spellings that udunits does not know and that begin with "deg" are degrees.
std::optional<double> degrees_in(const std::string& unit);

}  // namespace tenon::climate
