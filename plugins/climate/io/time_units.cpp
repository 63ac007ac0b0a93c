#include "climate/io/time_units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>

#include "tenon/error.hpp"

namespace tenon::climate {
namespace {

__extension__ using i128 = __int128;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return char(std::tolower(c)); });
  return out;
}

std::string_view trimmed(std::string_view s) {
  while (!s.empty() && (std::isspace(static_cast<unsigned char>(s.front())) || s.front() == '\0')) s.remove_prefix(1);
  while (!s.empty() && (std::isspace(static_cast<unsigned char>(s.back())) || s.back() == '\0')) s.remove_suffix(1);
  return s;
}

/// Where "since" begins as a word of its own.
std::size_t find_since(std::string_view low) {
  for (std::size_t at = low.find("since"); at != std::string_view::npos; at = low.find("since", at + 1)) {
    const bool before = at > 0 && std::isspace(static_cast<unsigned char>(low[at - 1]));
    const bool after = at + 5 == low.size() || std::isspace(static_cast<unsigned char>(low[at + 5]));
    if (before && after) return at;
  }
  return std::string_view::npos;
}

/// Microseconds a unit; 0: not known here.
std::int64_t fixed_unit(const std::string& unit) {
  static const std::map<std::string, std::int64_t, std::less<>> kUnits = {
      {"microsecond", 1},         {"microsec", 1},         {"us", 1},  {"millisecond", 1000}, {"millisec", 1000}, {"msec", 1000},
      {"ms", 1000},               {"second", kTicksPerSecond}, {"sec", kTicksPerSecond}, {"s", kTicksPerSecond}, {"minute", 60 * kTicksPerSecond},
      {"min", 60 * kTicksPerSecond}, {"hour", 3600 * kTicksPerSecond}, {"hr", 3600 * kTicksPerSecond}, {"h", 3600 * kTicksPerSecond},
      {"day", kTicksPerDay},      {"d", kTicksPerDay},     {"week", 7 * kTicksPerDay}, {"common_year", 365 * kTicksPerDay}};
  auto found = kUnits.find(unit);
  if (found == kUnits.end() && unit.size() > 2 && unit.back() == 's') found = kUnits.find(unit.substr(0, unit.size() - 1));
  return found == kUnits.end() ? 0 : found->second;
}

constexpr double kUdunitsYear = 365.242198781 * double(kTicksPerDay);

[[noreturn]] void bad_units(std::string_view units, const std::string& what) {
  throw Error(ErrorKind::data, "climate.time_units", fmt::format("time units '{}': {}", units, what), "units are written like 'days since 1850-01-01 00:00:00'; `tenon climate info` still tells of the values");
}

/// Reads numbers and marks of a moment from left to right.
class MomentReader {
 public:
  explicit MomentReader(std::string_view text) : all_(text), s_(trimmed(text)) {}

  Date read(std::int64_t& offset_minutes, Calendar calendar) {
    Date d;
    const bool negative = take('-');
    if (!negative) take('+');
    const std::string year = digits();
    if (year.empty()) fail("it does not begin with a year");
    if (year.size() == 8 && peek() != '-') {  // packed: YYYYMMDD
      d.year = std::stoll(year.substr(0, 4));
      d.month = std::stoi(year.substr(4, 2));
      d.day = std::stoi(year.substr(6, 2));
    } else {
      if (year.size() > 9) fail("the year has more than 9 digits");
      d.year = std::stoll(year);
      if (take('-')) {
        d.month = int(number("month", 2));
        if (take('-')) d.day = int(number("day", 2));
      }
    }
    if (negative) d.year = -d.year;
    spaces();
    if (peek() == 'T' || peek() == 't') s_.remove_prefix(1);
    spaces();
    if (std::isdigit(static_cast<unsigned char>(peek()))) clock(d);
    offset_minutes = zone();
    spaces();
    if (!s_.empty()) fail(fmt::format("'{}' at its end is not understood", s_));
    if (!exists(calendar, d.year, d.month, d.day) && calendar != Calendar::none) {
      throw Error(ErrorKind::data, "climate.date", fmt::format("the date {:04d}-{:02d}-{:02d} does not exist in the calendar {}", d.year, d.month, d.day, name_of(calendar)),
                  "mend the reference date or the calendar");
    }
    if (d.hour > 24 || d.minute > 59 || d.second > 60 || (d.hour == 24 && (d.minute || d.second))) fail("there is no such time of day");
    return d;
  }

 private:
  char peek() const { return s_.empty() ? '\0' : s_.front(); }
  bool take(char c) {
    if (peek() != c) return false;
    s_.remove_prefix(1);
    return true;
  }
  void spaces() {
    while (std::isspace(static_cast<unsigned char>(peek()))) s_.remove_prefix(1);
  }
  std::string digits() {
    std::string out;
    while (std::isdigit(static_cast<unsigned char>(peek()))) {
      out += peek();
      s_.remove_prefix(1);
    }
    return out;
  }
  std::int64_t number(const char* what, std::size_t most) {
    const std::string d = digits();
    if (d.empty() || d.size() > most) fail(fmt::format("its {} is no number of up to {} digits", what, most));
    return std::stoll(d);
  }
  void clock(Date& d) {
    std::string hour = digits();
    if (hour.size() == 4 || hour.size() == 6) {  // packed: HHMM, HHMMSS
      d.hour = std::stoi(hour.substr(0, 2));
      d.minute = std::stoi(hour.substr(2, 2));
      if (hour.size() == 6) d.second = std::stoi(hour.substr(4, 2));
    } else {
      if (hour.size() > 2) fail("its hour is no number of up to 2 digits");
      d.hour = std::stoi(hour);
      if (take(':')) {
        d.minute = int(number("minute", 2));
        if (take(':')) d.second = int(number("second", 2));
      }
    }
    if (take('.')) {
      std::string fraction = digits();
      fraction.resize(6, '0');
      d.microsecond = std::stoi(fraction);
    }
  }
  std::int64_t zone() {
    spaces();
    const std::string low = lower(s_);
    if (low == "z" || low == "utc" || low == "gmt") {
      s_ = {};
      return 0;
    }
    for (const char* name : {"utc", "gmt"}) {
      if (low.rfind(name, 0) == 0) s_.remove_prefix(3);
    }
    if (s_.empty()) return 0;
    const bool minus = peek() == '-';
    if (!minus && peek() != '+' && !std::isdigit(static_cast<unsigned char>(peek()))) return 0;
    if (minus || peek() == '+') s_.remove_prefix(1);
    const std::string first = digits();
    std::int64_t minutes = 0;
    if (first.size() == 4) {
      minutes = std::stoll(first.substr(0, 2)) * 60 + std::stoll(first.substr(2));
    } else if (first.size() == 1 || first.size() == 2) {
      minutes = std::stoll(first) * 60;
      if (take(':')) minutes += number("offset", 2);
    } else {
      fail("its offset from UTC is not understood");
    }
    if (minutes > 24 * 60) fail("its offset from UTC is more than a day");
    return minus ? -minutes : minutes;
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::data, "climate.time_units", fmt::format("'{}' is no date and time: {}", all_, what), "dates are written like 1850-01-01 00:00:00");
  }
  std::string_view all_, s_;
};

}  // namespace

bool is_time_units(std::string_view units) noexcept {
  const std::string low = lower(units);
  return find_since(low) != std::string::npos || low.find(" as %y") != std::string::npos;
}

std::int64_t parse_moment(std::string_view text, Calendar calendar, Date* date) {
  std::int64_t offset = 0;
  const Date d = MomentReader(text).read(offset, calendar);
  if (date) *date = d;
  return ticks_from_date(calendar, d) - offset * 60 * kTicksPerSecond;
}

TimeUnits::TimeUnits(std::string_view units, Calendar calendar, const TimeOptions& options) : units_(units), calendar_(calendar) {
  if (options.format == "yyyymm" || options.format == "yyyymmdd") {
    kind_ = options.format == "yyyymm" ? Kind::yyyymm : Kind::yyyymmdd;
    return;
  }
  const std::string low(trimmed(lower(units)));
  if (low.empty()) bad_units(units, "there are none, so time cannot be decoded");
  if (low.find(" as %y") != std::string::npos) {
    if (low.rfind("day", 0) != 0 || low.find("as %y%m%d") == std::string::npos) bad_units(units, "of the units that spell a date, 'day as %Y%m%d.%f' is read");
    kind_ = Kind::absolute;
    return;
  }
  if (low.rfind("yyyymm", 0) == 0) bad_units(units, "the numbers seem to spell dates; say so with --time-format yyyymm or yyyymmdd");
  const std::size_t since = find_since(low);
  if (since == std::string::npos) bad_units(units, "the reference is missing ('since' and a date)");
  const std::string unit(trimmed(std::string_view(low).substr(0, since)));
  reference_ = parse_moment(trimmed(std::string_view(units_)).substr(since + 5), calendar, &reference_date_);
  year_0_ = reference_date_.year == 0;
  if ((ticks_per_unit_ = fixed_unit(unit)) != 0) return;
  if (unit == "nanosecond" || unit == "nanoseconds" || unit == "ns") {
    ticks_per_unit_real_ = 1e-3;
    return;
  }
  const bool month = unit == "month" || unit == "months" || unit == "mon";
  const bool year = unit == "year" || unit == "years" || unit == "yr" || unit == "yrs";
  if (!month && !year) bad_units(units, fmt::format("'{}' is no unit of time known here", unit));
  if (options.months == "udunits") {
    ticks_per_unit_real_ = year ? kUdunitsYear : kUdunitsYear / 12;
  } else if (calendar == Calendar::day_360) {
    ticks_per_unit_ = (year ? 360 : 30) * kTicksPerDay;
  } else {
    if (calendar == Calendar::none) bad_units(units, "the calendar 'none' has no months and years");
    kind_ = Kind::months;
    months_per_unit_ = year ? 12 : 1;
  }
}

void TimeUnits::overflow(double value, std::int64_t index) const {
  throw Error(ErrorKind::data, "climate.time", fmt::format("time {} is {} '{}', which is beyond what a date can be", index, value, units_), "mend the value or the units");
}

std::int64_t TimeUnits::steps(std::int64_t months, std::int64_t index) const {
  Date d = reference_date_;
  const std::int64_t all = d.month - 1 + months, shift = all >= 0 ? all / 12 : -((11 - all) / 12);
  d.year += shift;
  d.month = int(all - shift * 12) + 1;
  if (!exists(calendar_, d.year, d.month, d.day)) {
    throw Error(ErrorKind::data, "climate.date", fmt::format("time {} is {} months after {:04d}-{:02d}-{:02d}: there is no such day", index, months, reference_date_.year, reference_date_.month, reference_date_.day),
                "give --months udunits to read a month as the twelfth of 365.242198781 days");
  }
  const std::int64_t in_day = reference_ - days_from_date(calendar_, reference_date_.year, reference_date_.month, reference_date_.day) * kTicksPerDay;
  return days_from_date(calendar_, d.year, d.month, d.day) * kTicksPerDay + in_day;
}

std::int64_t TimeUnits::spelt(double value, std::int64_t index) const {
  const double whole = std::floor(value);
  if (!(std::abs(whole) < 1e15)) overflow(value, index);
  const auto number = std::int64_t(whole);
  const std::int64_t packed = kind_ == Kind::yyyymm ? number * 100 + 1 : number;
  const std::int64_t year = packed / 10000;
  const int month = int(packed / 100 % 100), day = int(packed % 100);
  if (packed < 0 || !exists(calendar_, year, month, day)) {
    throw Error(ErrorKind::data, "climate.date", fmt::format("time {} spells {}, which is no date in the calendar {}", index, value, name_of(calendar_)), "mend the value or the units");
  }
  return days_from_date(calendar_, year, month, day) * kTicksPerDay + std::llround((value - whole) * double(kTicksPerDay));
}

std::int64_t TimeUnits::ticks_of_integer(std::int64_t value, std::int64_t index) const {
  if (kind_ == Kind::months) {
    if (std::abs(value) > 12'000'000'000 / months_per_unit_) overflow(double(value), index);
    return steps(value * months_per_unit_, index);
  }
  if (kind_ != Kind::fixed || ticks_per_unit_ == 0) return ticks(double(value), index);
  const i128 exact = i128(value) * ticks_per_unit_ + reference_;
  // Ten million years: every date fits, and sums of a few moments too.
  if (exact > i128(9'000'000'000'000'000'000) || exact < -i128(9'000'000'000'000'000'000)) overflow(double(value), index);
  return std::int64_t(exact);
}

std::int64_t TimeUnits::ticks(double value, std::int64_t index) const {
  if (std::isnan(value)) throw Error(ErrorKind::data, "climate.time", fmt::format("time {} is not a number", index), "drop or mend that time");
  if (kind_ == Kind::absolute || kind_ == Kind::yyyymm || kind_ == Kind::yyyymmdd) return spelt(value, index);
  if (!(std::abs(value) < 9.2e18)) overflow(value, index);
  const double whole = std::trunc(value), fraction = value - whole;
  if (kind_ == Kind::months && fraction != 0) {
    throw Error(ErrorKind::data, "climate.time_units", fmt::format("time {} is {} in '{}': a part of a month or year has no length in the calendar {}", index, value, units_, name_of(calendar_)),
                "give --months udunits to read a year as 365.242198781 days and a month as its twelfth");
  }
  if (ticks_per_unit_real_ != 0) {
    const double t = value * ticks_per_unit_real_;
    if (!(std::abs(t) < 9e18)) overflow(value, index);
    const i128 sum = i128(std::llround(t)) + reference_;
    if (sum > i128(9'000'000'000'000'000'000) || sum < -i128(9'000'000'000'000'000'000)) overflow(value, index);
    return std::int64_t(sum);
  }
  return ticks_of_integer(std::int64_t(whole), index) + (fraction == 0 ? 0 : std::llround(fraction * double(ticks_per_unit_)));
}

double TimeUnits::value(std::int64_t ticks) const {
  if (kind_ != Kind::fixed) throw_usage("TimeUnits::value", "units '" + units_ + "' are read only", "write times in days or hours since a date");
  const std::int64_t since = ticks - reference_;
  if (ticks_per_unit_ == 0) return double(since) / ticks_per_unit_real_;
  return double(since / ticks_per_unit_) + double(since % ticks_per_unit_) / double(ticks_per_unit_);
}

}  // namespace tenon::climate
