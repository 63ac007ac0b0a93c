#include "climate/io/calendar.hpp"

#include "climate/test_data.hpp"

using namespace tenon;
using namespace tenon::climate;
using namespace tenon::climate_test;

TEST_CASE("every day within a million of 1970 comes back in every calendar, one after the other", "[climate][calendar]") {
  for (Calendar c : {Calendar::standard, Calendar::proleptic_gregorian, Calendar::noleap, Calendar::all_leap, Calendar::day_360, Calendar::julian}) {
    CAPTURE(name_of(c));
    bool round = true, follows = true;
    Date before = date_from_days(c, -1'000'001);
    for (std::int64_t day = -1'000'000; day <= 1'000'000; ++day) {
      const Date d = date_from_days(c, day);
      round = round && exists(c, d.year, d.month, d.day) && days_from_date(c, d.year, d.month, d.day) == day;
      const bool next_day = d.year == before.year && d.month == before.month && (d.day == before.day + 1 || (c == Calendar::standard && before.day == 4 && d.day == 15));
      const bool next_month = d.day == 1 && before.day == days_in_month(c, before.year, before.month) &&
                              ((d.year == before.year && d.month == before.month + 1) || (d.year == before.year + 1 && d.month == 1 && before.month == 12));
      follows = follows && (next_day || next_month);
      before = d;
    }
    CHECK(round);
    CHECK(follows);
  }
}

TEST_CASE("calendars differ where they should", "[climate][calendar]") {
  CHECK(date_from_days(Calendar::standard, days_from_date(Calendar::standard, 1582, 10, 4) + 1) == Date{1582, 10, 15});
  CHECK(date_from_days(Calendar::proleptic_gregorian, days_from_date(Calendar::proleptic_gregorian, 1582, 10, 4) + 1) == Date{1582, 10, 5});
  CHECK_FALSE(exists(Calendar::standard, 1582, 10, 10));
  CHECK(exists(Calendar::julian, 1900, 2, 29));
  CHECK_FALSE(exists(Calendar::standard, 1900, 2, 29));
  CHECK(exists(Calendar::standard, 1500, 2, 29));
  CHECK_FALSE(exists(Calendar::noleap, 2000, 2, 29));
  CHECK(exists(Calendar::all_leap, 1999, 2, 29));
  CHECK(exists(Calendar::day_360, 1999, 2, 30));
  // Known distances: the Julian day numbers 2440587.5 (1970-01-01) and 0.5 (-4712-01-01 + 1 day in the Julian calendar), and 1 January 2000.
  CHECK(days_from_date(Calendar::standard, -4712, 1, 1) == -2440588);
  CHECK(days_from_date(Calendar::proleptic_gregorian, 2000, 1, 1) == 10957);
  CHECK(days_from_date(Calendar::standard, 1, 1, 1) == -719164);
  CHECK(days_from_date(Calendar::proleptic_gregorian, 1, 1, 1) == -719162);
  CHECK(days_in_year(Calendar::standard, 1582) == 355);
  CHECK(day_of_year(Calendar::standard, {2000, 12, 31}) == 366);
}

TEST_CASE("names of calendars in any case, misspellings with a note, others refused with the list", "[climate][calendar]") {
  std::string note;
  CHECK(calendar_from_name("NoLeap", &note) == Calendar::noleap);
  CHECK(note.empty());
  CHECK(calendar_from_name("365_days", &note) == Calendar::noleap);
  CHECK(note.find("365_days") != std::string::npos);
  CHECK(calendar_from_name("", &note) == Calendar::standard);
  for (const char* name : {"standard", "gregorian", "proleptic_gregorian", "noleap", "365_day", "all_leap", "366_day", "360_day", "julian", "none"}) CHECK_NOTHROW(calendar_from_name(name));
  const Error e = error_of([] { calendar_from_name("lunar"); });
  CHECK(e.code() == "climate.calendar");
  CHECK(e.message().find("proleptic_gregorian") != std::string::npos);
  CHECK(int(e.kind()) == 3);
}

TEST_CASE("moments come back to the microsecond and are shown to the millisecond", "[climate][calendar]") {
  const Date d{2001, 2, 28, 23, 59, 59, 999999};
  for (Calendar c : {Calendar::standard, Calendar::noleap, Calendar::day_360, Calendar::julian}) CHECK(date_from_ticks(c, ticks_from_date(c, d)) == d);
  CHECK(date_text(Calendar::noleap, ticks_from_date(Calendar::noleap, d)) == "2001-03-01T00:00:00");
  CHECK(date_text(Calendar::standard, 1000) == "1970-01-01T00:00:00.001");
  CHECK(date_text(Calendar::standard, -kTicksPerDay) == "1969-12-31T00:00:00");
}
