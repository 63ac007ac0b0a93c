#include "climate/tools/year_coverage.hpp"

#include <cmath>

#include "climate/test_data.hpp"
#include "climate/tools/common.hpp"
#include "climate/tools/cycle.hpp"
#include "climate/tools/made_days.hpp"

using namespace tenon;
using namespace tenon::climate;
using namespace tenon::climate_test;

namespace {

std::vector<double> shares(int from, int to, int step = 1) {
  std::vector<double> out;
  for (int d = from; d < to; d += step) out.push_back(d / 365.2425);
  return out;
}

std::pair<std::int64_t, std::int64_t> period(const char* text) { return parse_period(text, Calendar::standard, "base"); }

}  // namespace

TEST_CASE("harmonics need as many times as coefficients, in all parts of the year", "[climate][tools]") {
  CHECK_FALSE(what_is_lacking(shares(0, 365), 12, Calendar::standard));
  CHECK_FALSE(what_is_lacking(shares(15, 365, 30), 5, Calendar::standard));  // months
  CHECK(what_is_lacking(shares(15, 365, 30), 6, Calendar::standard) == "12 times for the 13 coefficients of 6 harmonics");
  CHECK(what_is_lacking(shares(0, 69), 3, Calendar::standard) == "no time from 11 March to 31 December (296 days), where 3 harmonics need one every 60 days");
  CHECK(what_is_lacking(shares(0, 20), 12, Calendar::standard) == "20 times for the 25 coefficients of 12 harmonics");
  CHECK_FALSE(what_is_lacking(shares(0, 69), 0, Calendar::standard));  // the mean alone
  // December to February: the gap does not go around New Year.
  auto winter = shares(0, 59);
  for (double x : shares(334, 365)) winter.push_back(x);
  CHECK(what_is_lacking(winter, 2, Calendar::standard) == "no time from 1 March to 30 November (275 days), where 2 harmonics need one every 91 days");
  const YearGap none = longest_gap({});
  CHECK(none.length == 1);
}

TEST_CASE("a base too short for its climatology is refused, or noted", "[climate][tools]") {
  const LabelledArray days = daily(2001, 4, [](std::int64_t t, std::size_t p) { return yearly(t) + double(p); });
  auto refusal = [&](CycleOptions o) { return error_of([&] { Cycle(days, o); }); };
  const Error e = refusal({.kind = CycleKind::harmonics, .base = period("2001-01-01/2001-03-10")});
  CHECK(e.code() == "climate.base");
  CHECK(int(e.kind()) == 3);
  CHECK(e.message() == "the base period of 'z' does not determine the annual cycle: no time from 11 March to 31 December (296 days), where 3 harmonics need one every 60 days");
  CHECK(refusal({.kind = CycleKind::harmonics, .harmonics = 12, .base = period("2001-01-01/2001-01-20")}).message().find("20 times for the 25 coefficients") != std::string::npos);
  CHECK(refusal({.kind = CycleKind::monthly, .base = period("2001-01-01/2001-03-10")}).message() ==
        "the base period of 'z' has no time in April, May, June, July, August, September, October, November, December, most of what the file covers");
  CHECK(refusal({.kind = CycleKind::daily, .base = period("2001-01-01/2001-03-10")}).message().find("296 days: 03-11 to 12-31") != std::string::npos);

  const Cycle nine(days, {.kind = CycleKind::monthly, .base = period("2001-01-01/2001-09-30")});
  REQUIRE(nine.notes().size() == 1);
  CHECK(nine.notes()[0] == "the base period of 'z' has no time in October, November, December: the climatology is missing there");
  CHECK(Cycle(days, {.kind = CycleKind::daily}).notes().empty());
  // A file of one season has no more to give: noted alone.
  const LabelledArray winter = taken(days, 0, within(days.axes[0], period("2001-01-01/2001-02-28")));
  CHECK(Cycle(winter, {.kind = CycleKind::monthly}).notes().size() == 1);
}

TEST_CASE("29 February lies between its neighbours where the base has none", "[climate][tools]") {
  const LabelledArray days = daily(2001, 4, [](std::int64_t t, std::size_t) { return double(day_of_year(Calendar::standard, date_from_ticks(Calendar::standard, t))); });
  const Cycle c(days, {.kind = CycleKind::daily, .base = period("2001/2003")});
  REQUIRE(c.notes().size() == 1);
  CHECK(c.notes()[0].find("has no 29 February: its climatology is the mean of those of 28 February and 1 March") != std::string::npos);
  std::vector<double> out(12);
  c.at(days_from_date(Calendar::standard, 2004, 2, 29) * kTicksPerDay, out.data());
  CHECK(out[0] == Approx(59.5));
}

TEST_CASE("a point with values in a part of the year alone gets no harmonics", "[climate][tools]") {
  const LabelledArray days = daily(2001, 2, [](std::int64_t t, std::size_t p) {
    const int month = date_from_ticks(Calendar::standard, t).month;
    return p == 5 || (p == 7 && month > 3) ? std::nan("") : 1e5 + yearly(t);
  });
  const Cycle c(days, {.kind = CycleKind::harmonics});
  std::vector<double> out(12);
  c.at(days_from_date(Calendar::standard, 2001, 7, 1) * kTicksPerDay, out.data());
  CHECK(std::isnan(out[5]));
  CHECK(std::isnan(out[7]));
  CHECK(std::abs(out[6] - 1e5) < 11);
  REQUIRE(c.notes().size() == 1);  // the point without any value is no surprise
  CHECK(c.notes()[0].find("1 of 12 points") != std::string::npos);
}
