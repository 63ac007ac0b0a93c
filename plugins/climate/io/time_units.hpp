/// "days since 1850-01-01": stored numbers of a time axis into whole ticks of its calendar, and back.
///
/// A whole number of units is exact; a fraction is rounded to the microsecond. All errors are data errors: climate.time_units (what the units
/// lack), climate.time (index and value), climate.calendar, climate.date.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "climate/io/calendar.hpp"
#include "tenon/labelled.hpp"

namespace tenon::climate {

struct TimeOptions {
  /// What a month or a year is where units count them: "calendar" (steps of the calendar, whole numbers alone) or "udunits"
  /// (a year of 365.242198781 days, a month its twelfth).
  std::string months = "calendar";
  /// "units": counts of them; "yyyymm", "yyyymmdd": the numbers spell dates.
  std::string format = "units";
  /// Times that repeat or run backwards: "refuse", "sort", "first" or "last" (of those that repeat; both sort).
  std::string order = "refuse";
};

/// Parsed time units.
class TimeUnits {
 public:
  /// `units` as in the file, `calendar` read already.
  TimeUnits(std::string_view units, Calendar calendar, const TimeOptions& options = {});

  /// Ticks of one stored value; `index` is for the message.
  std::int64_t ticks(double value, std::int64_t index = 0) const;
  std::int64_t ticks_of_integer(std::int64_t value, std::int64_t index = 0) const;
  /// The stored value of a moment, as exactly as a double holds it. Not for months and years.
  double value(std::int64_t ticks) const;
  Calendar calendar() const noexcept { return calendar_; }
  std::int64_t reference() const noexcept { return reference_; }  ///< ticks of the moment after "since"
  bool reference_in_year_0() const noexcept { return year_0_; }

 private:
  enum class Kind { fixed, months, absolute, yyyymm, yyyymmdd };
  std::int64_t steps(std::int64_t months, std::int64_t index) const;
  std::int64_t spelt(double value, std::int64_t index) const;
  [[noreturn]] void overflow(double value, std::int64_t index) const;
  Kind kind_ = Kind::fixed;
  std::string units_;
  Calendar calendar_;
  double ticks_per_unit_real_ = 0;      ///< of nanoseconds and udunits' months, no whole number of ticks
  std::int64_t ticks_per_unit_ = 0;     ///< of the others
  std::int64_t months_per_unit_ = 0;
  std::int64_t reference_ = 0;
  Date reference_date_;
  bool year_0_ = false;
};

/// Do the units count time from a reference ("... since ..."), or spell it ("day as %Y%m%d.%f")?
bool is_time_units(std::string_view units) noexcept;
/// A moment as text, as CF and udunits write them: "1850-1-1", "1850-01-01T06:00:00.5 +05:30", "2000-01-01 UTC", "19790101". In ticks, UTC.
std::int64_t parse_moment(std::string_view text, Calendar calendar, Date* date = nullptr);

}  // namespace tenon::climate
