#include "climate/io/time_units.hpp"

#include <limits>

#include "climate/test_data.hpp"

using namespace tenon;
using namespace tenon::climate;
using namespace tenon::climate_test;

namespace {
std::string date(const char* units, double value, Calendar c = Calendar::standard, const TimeOptions& options = {}) { return date_text(c, TimeUnits(units, c, options).ticks(value)); }
std::string code(const char* units, double value = 0, Calendar c = Calendar::standard) {
  return error_of([&] { TimeUnits(units, c).ticks(value, 7); }).code();
}
}  // namespace

TEST_CASE("units of time and their references, as files write them", "[climate][time]") {
  CHECK(date("days since 1850-1-1", 0.25) == "1850-01-01T06:00:00");
  CHECK(date("hours since 1900-01-01 00:00:0.0", 24) == "1900-01-02T00:00:00");
  CHECK(date("Hours since 1-1-1 00:00:00", 17522904.0) == "2000-01-01T00:00:00");  // COARDS, with the two days of 1582
  CHECK(date("minutes since 2000-01-01T00:00Z", 90) == "2000-01-01T01:30:00");
  CHECK(date("seconds since 1970-01-01 05:30 +5:30", 0) == "1970-01-01T00:00:00");
  CHECK(date("days since 1970-01-01 00:00:00 UTC", 1) == "1970-01-02T00:00:00");
  CHECK(date("days since 1970-01-01 00:00:00 -6", 0) == "1970-01-01T06:00:00");
  CHECK(date("msec since 1970-01-01", 1) == "1970-01-01T00:00:00.001");
  CHECK(date("days since 19790101", 31) == "1979-02-01T00:00:00");
  CHECK(date("day as %Y%m%d.%f", 18500116.5) == "1850-01-16T12:00:00");
  CHECK(date("days since 2000-02-30", 1, Calendar::day_360) == "2000-03-01T00:00:00");
  CHECK(date("weeks since 2000-01-01", 1) == "2000-01-08T00:00:00");
}

TEST_CASE("months and years: calendar steps, thirty days, udunits' year, or refused", "[climate][time]") {
  CHECK(date("months since 1850-01-01", 13) == "1851-02-01T00:00:00");
  CHECK(date("months since 1850-01-15 12:00", -1) == "1849-12-15T12:00:00");
  CHECK(date("years since 1900-01-01", 100) == "2000-01-01T00:00:00");
  CHECK(date("months since 1850-01-01", 0.5, Calendar::day_360) == "1850-01-16T00:00:00");
  CHECK(code("months since 1850-01-01", 0.5) == "climate.time_units");
  CHECK(code("months since 1850-01-31", 1) == "climate.date");
  // 365.242198781 days of 86400 s: udunits2's own year.
  CHECK(date("years since 1900-01-01", 1, Calendar::noleap, {.months = "udunits"}) == "1901-01-01T05:48:45.975");
}

TEST_CASE("whole numbers of units are exact over three thousand years, fractions to the microsecond", "[climate][time]") {
  for (const char* unit : {"days", "hours", "seconds"}) {
    const TimeUnits units(std::string(unit) + " since 0001-01-01", Calendar::proleptic_gregorian);
    for (std::int64_t n : {-1'000'000LL, -1LL, 0LL, 1LL, 999'999LL}) {
      const std::int64_t ticks = units.ticks_of_integer(n);
      CHECK(units.ticks(double(n)) == ticks);
      CHECK(units.value(ticks) == double(n));
    }
  }
  const TimeUnits days("days since 1850-01-01", Calendar::noleap);
  CHECK(days.ticks(1.0 / 3) - days.reference() == 28'800'000'000);
}

TEST_CASE("what cannot be a time is refused with index and value", "[climate][time]") {
  CHECK(code("s") == "climate.time_units");
  CHECK(code("") == "climate.time_units");
  CHECK(code("fortnights since 2000-01-01") == "climate.time_units");
  CHECK(code("days since yesterday") == "climate.time_units");
  CHECK(code("days since 2000-02-29", 0, Calendar::noleap) == "climate.date");
  CHECK(code("days since 1582-10-10") == "climate.date");
  CHECK(code("days since 2000-01-01 25:00") == "climate.time_units");
  const Error huge = error_of([] { TimeUnits("days since 1850-01-01", Calendar::standard).ticks(1e300, 7); });
  CHECK(huge.code() == "climate.time");
  CHECK(huge.message().find("time 7 is 1e+300") != std::string::npos);
  CHECK(error_of([] { TimeUnits("days since 1850-01-01", Calendar::standard).ticks_of_integer(std::numeric_limits<std::int64_t>::max(), 3); }).code() == "climate.time");
  CHECK(error_of([] { TimeUnits("days since 1850-01-01", Calendar::standard).ticks(std::nan(""), 4); }).message().find("time 4") != std::string::npos);
  CHECK(code("YYYYMM", 185001) == "climate.time_units");
  CHECK(date("YYYYMM", 185002, Calendar::standard, {.format = "yyyymm"}) == "1850-02-01T00:00:00");
}
