#include "climate/io/calendar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

#include "tenon/error.hpp"
#include "tenon/params.hpp"

namespace tenon::climate {
namespace {

struct Named {
  std::string_view name;
  Calendar calendar;
};
constexpr std::array<Named, 10> kNames = {{{"standard", Calendar::standard},
                                           {"gregorian", Calendar::standard},
                                           {"proleptic_gregorian", Calendar::proleptic_gregorian},
                                           {"noleap", Calendar::noleap},
                                           {"365_day", Calendar::noleap},
                                           {"all_leap", Calendar::all_leap},
                                           {"366_day", Calendar::all_leap},
                                           {"360_day", Calendar::day_360},
                                           {"julian", Calendar::julian},
                                           {"none", Calendar::none}}};
/// Spellings that stand in real files.
constexpr std::array<Named, 6> kMisspelt = {{{"365_days", Calendar::noleap},
                                             {"366_days", Calendar::all_leap},
                                             {"360_days", Calendar::day_360},
                                             {"no_leap", Calendar::noleap},
                                             {"365day", Calendar::noleap},
                                             {"360day", Calendar::day_360}}};

constexpr std::array<int, 12> kMonthDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
/// Days before a month of a year without a leap day.
constexpr std::array<int, 13> kBefore = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};

constexpr std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b != 0 && (a % b < 0) != (b < 0)); }

/// Day number of a date whose years begin in March, so that the leap day is the last: day 0 is 0000-03-01 of the same calendar.
constexpr std::int64_t march_days(std::int64_t year, int month, int day, bool gregorian) {
  const std::int64_t y = month <= 2 ? year - 1 : year;
  const int shifted = month <= 2 ? month + 9 : month - 3;
  const std::int64_t in_year = (153 * shifted + 2) / 5 + day - 1;
  const std::int64_t leaps = gregorian ? floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400) : floor_div(y, 4);
  return y * 365 + leaps + in_year;
}

constexpr Date from_march(std::int64_t days, bool gregorian) {
  const std::int64_t cycle = gregorian ? 146'097 : 1'461;
  const std::int64_t era = floor_div(days, cycle), in_era = days - era * cycle;
  const std::int64_t years = gregorian ? (in_era - in_era / 1'460 + in_era / 36'524 - in_era / 146'096) / 365 : (in_era - in_era / 1'460) / 365;
  const std::int64_t in_year = in_era - (gregorian ? 365 * years + years / 4 - years / 100 : 365 * years);
  const std::int64_t shifted = (5 * in_year + 2) / 153;
  Date d;
  d.day = int(in_year - (153 * shifted + 2) / 5 + 1);
  d.month = int(shifted < 10 ? shifted + 3 : shifted - 9);
  d.year = years + era * (gregorian ? 400 : 4) + (d.month <= 2);
  return d;
}

constexpr std::int64_t kGregorianEpoch = march_days(1970, 1, 1, true);
constexpr std::int64_t kJulianEpoch = march_days(1970, 1, 1, false);
/// 1582-10-15 Gregorian and 1582-10-05 Julian are one day.
constexpr std::int64_t kReform = march_days(1582, 10, 15, true) - kGregorianEpoch;
constexpr std::int64_t kJulianShift = march_days(1582, 10, 5, false) - kReform;

bool is_leap(Calendar c, std::int64_t year) {
  switch (c) {
    case Calendar::standard: return year % 4 == 0 && (year <= 1582 || year % 100 != 0 || year % 400 == 0);
    case Calendar::proleptic_gregorian: return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    case Calendar::all_leap: return true;
    case Calendar::julian: return year % 4 == 0;
    default: return false;
  }
}

bool in_gap(std::int64_t year, int month, int day) { return year == 1582 && month == 10 && day > 4 && day < 15; }
bool before_reform(std::int64_t year, int month, int day) {
  return year != 1582 ? year < 1582 : month != 10 ? month < 10 : day < 15;
}

}  // namespace

Calendar calendar_from_name(std::string_view name, std::string* note) {
  std::string low(name);
  while (!low.empty() && (low.back() == ' ' || low.back() == '\0')) low.pop_back();
  std::transform(low.begin(), low.end(), low.begin(), [](unsigned char c) { return char(std::tolower(c)); });
  if (low.empty()) {
    if (note) *note = "the calendar is empty: read as standard";
    return Calendar::standard;
  }
  for (const auto& n : kNames)
    if (n.name == low) return n.calendar;
  for (const auto& n : kMisspelt) {
    if (n.name != low) continue;
    if (note) *note = fmt::format("calendar '{}' is no name of CF: read as {}", name, name_of(n.calendar));
    return n.calendar;
  }
  std::vector<std::string> known;
  for (const auto& n : kNames) known.emplace_back(n.name);
  std::string list;
  for (const auto& k : known) list += (list.empty() ? "" : ", ") + k;
  throw Error(ErrorKind::data, "climate.calendar", fmt::format("calendar '{}' is not known; known: {}", name, list), "give the variable's calendar one of these names");
}

std::string_view name_of(Calendar calendar) noexcept {
  switch (calendar) {
    case Calendar::standard: return "standard";
    case Calendar::proleptic_gregorian: return "proleptic_gregorian";
    case Calendar::noleap: return "noleap";
    case Calendar::all_leap: return "all_leap";
    case Calendar::day_360: return "360_day";
    case Calendar::julian: return "julian";
    case Calendar::none: return "none";
  }
  return "";
}

int days_in_month(Calendar calendar, std::int64_t year, int month) {
  if (calendar == Calendar::day_360) return 30;
  return kMonthDays[std::size_t(month - 1)] + (month == 2 && is_leap(calendar, year));
}

int days_in_year(Calendar calendar, std::int64_t year) {
  if (calendar == Calendar::day_360) return 360;
  return 365 + is_leap(calendar, year) - (calendar == Calendar::standard && year == 1582 ? 10 : 0);
}

bool exists(Calendar calendar, std::int64_t year, int month, int day) {
  if (month < 1 || month > 12 || day < 1 || day > days_in_month(calendar, year, month)) return false;
  return calendar != Calendar::standard || !in_gap(year, month, day);
}

std::int64_t days_from_date(Calendar calendar, std::int64_t year, int month, int day) {
  switch (calendar) {
    case Calendar::proleptic_gregorian: return march_days(year, month, day, true) - kGregorianEpoch;
    case Calendar::julian: return march_days(year, month, day, false) - kJulianEpoch;
    case Calendar::standard:
      return before_reform(year, month, day) ? march_days(year, month, day, false) - kJulianShift : march_days(year, month, day, true) - kGregorianEpoch;
    case Calendar::day_360: return (year - 1970) * 360 + (month - 1) * 30 + day - 1;
    case Calendar::all_leap: return (year - 1970) * 366 + kBefore[std::size_t(month - 1)] + (month > 2) + day - 1;
    case Calendar::noleap:
    case Calendar::none: break;
  }
  return (year - 1970) * 365 + kBefore[std::size_t(month - 1)] + day - 1;
}

Date date_from_days(Calendar calendar, std::int64_t days) {
  switch (calendar) {
    case Calendar::proleptic_gregorian: return from_march(days + kGregorianEpoch, true);
    case Calendar::julian: return from_march(days + kJulianEpoch, false);
    case Calendar::standard: return days < kReform ? from_march(days + kJulianShift, false) : from_march(days + kGregorianEpoch, true);
    default: break;
  }
  const int length = calendar == Calendar::day_360 ? 360 : calendar == Calendar::all_leap ? 366 : 365;
  Date d;
  const std::int64_t years = floor_div(days, length);
  d.year = 1970 + years;
  int left = int(days - years * length);
  if (calendar == Calendar::day_360) {
    d.month = left / 30 + 1;
    d.day = left % 30 + 1;
    return d;
  }
  while (left >= days_in_month(calendar, d.year, d.month)) left -= days_in_month(calendar, d.year, d.month++);
  d.day = left + 1;
  return d;
}

int day_of_year(Calendar calendar, const Date& date) {
  return int(days_from_date(calendar, date.year, date.month, date.day) - days_from_date(calendar, date.year, 1, 1)) + 1;
}

std::int64_t ticks_from_date(Calendar calendar, const Date& d) {
  const std::int64_t seconds = (std::int64_t(d.hour) * 60 + d.minute) * 60 + d.second;
  return days_from_date(calendar, d.year, d.month, d.day) * kTicksPerDay + seconds * kTicksPerSecond + d.microsecond;
}

Date date_from_ticks(Calendar calendar, std::int64_t ticks) {
  const std::int64_t days = floor_div(ticks, kTicksPerDay);
  std::int64_t left = ticks - days * kTicksPerDay;
  Date d = date_from_days(calendar, days);
  d.microsecond = int(left % kTicksPerSecond);
  left /= kTicksPerSecond;
  d.second = int(left % 60);
  d.minute = int(left / 60 % 60);
  d.hour = int(left / 3600);
  return d;
}

std::string date_text(Calendar calendar, std::int64_t ticks) {
  if (calendar == Calendar::none) return fmt::format("day {:.10g}", double(ticks) / double(kTicksPerDay));
  // To the millisecond: what is left below comes from dividing days into binary fractions, not from the data.
  const std::int64_t shown = floor_div(ticks + 500, 1000) * 1000;
  const Date d = date_from_ticks(calendar, shown);
  std::string text = fmt::format("{}{:04d}-{:02d}-{:02d}T{:02d}:{:02d}:{:02d}", d.year < 0 ? "-" : "", d.year < 0 ? -d.year : d.year, d.month, d.day, d.hour, d.minute, d.second);
  if (d.microsecond) text += fmt::format(".{:03d}", d.microsecond / 1000);
  return text;
}

}  // namespace tenon::climate
