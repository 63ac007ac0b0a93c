/// Calendars and dates in whole numbers: the nine calendar names of CF (https://cfconventions.org, section 4.4.1) and `none`.
///
/// A moment is an int64 count of microseconds ("ticks") since 1970-01-01T00:00:00 of its own calendar, so dates never pass through floating
/// point. Years are astronomical: year 0 is the year before year 1. Pure functions, safe from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tenon::climate {

enum class Calendar : std::uint8_t {
  standard,             ///< also `gregorian`: Julian to 1582-10-04, Gregorian from the next day, 1582-10-15
  proleptic_gregorian,  ///< Gregorian at all times
  noleap,               ///< also `365_day`
  all_leap,             ///< also `366_day`
  day_360,              ///< `360_day`: twelve months of 30 days
  julian,               ///< every fourth year is a leap year
  none                  ///< a perpetual day: moments have no dates
};

inline constexpr std::int64_t kTicksPerSecond = 1'000'000, kTicksPerDay = 86'400 * kTicksPerSecond;

struct Date {
  std::int64_t year = 1970;
  int month = 1, day = 1, hour = 0, minute = 0, second = 0, microsecond = 0;
  bool operator==(const Date&) const = default;
};

/// The calendar of a CF name, upper or lower case. `note` says so where a misspelling (`365_days`) or an empty name was read as its nearest.
/// Throws climate.calendar, listing the known ones.
Calendar calendar_from_name(std::string_view name, std::string* note = nullptr);
/// The name that writers use: "standard", "proleptic_gregorian", "noleap", "all_leap", "360_day", "julian", "none".
std::string_view name_of(Calendar calendar) noexcept;

/// 1 to 12; `year` matters where leap years do. Not for `none`.
int days_in_month(Calendar calendar, std::int64_t year, int month);
int days_in_year(Calendar calendar, std::int64_t year);
/// Is there such a day? 1582-10-05 to -14 are none of `standard`.
bool exists(Calendar calendar, std::int64_t year, int month, int day);
/// Days from 1970-01-01; the date must exist. Years to +-10^9.
std::int64_t days_from_date(Calendar calendar, std::int64_t year, int month, int day);
/// The date of that day; the time of day is 0.
Date date_from_days(Calendar calendar, std::int64_t days);
/// 1 on the first day of the year.
int day_of_year(Calendar calendar, const Date& date);

std::int64_t ticks_from_date(Calendar calendar, const Date& date);
Date date_from_ticks(Calendar calendar, std::int64_t ticks);

/// "1850-01-16T12:00:00", with milliseconds where there are any ("...:00.001"). For `none`: days from the reference, "day 12.5".
std::string date_text(Calendar calendar, std::int64_t ticks);

}  // namespace tenon::climate
