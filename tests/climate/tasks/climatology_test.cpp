#include "climate/tasks/climatology.hpp"

#include <catch2/catch.hpp>

#include "climate/task_test.hpp"

using namespace tenon;
using namespace tenon::climate;
using namespace tenon::climate_test;

TEST_CASE("harmonics: a field that is a sum of them is found exactly", "[climate][climatology]") {
  FieldSeries s;
  s.grid = {{10, 20}, {0, 90, 180}};
  auto value = [](double phase, std::int64_t p) {
    const double w = 2 * M_PI * phase;
    return 1000 + double(p) + 3 * std::cos(w) - 2 * std::sin(w) + 0.5 * double(p) * std::cos(3 * w) + std::sin(2 * w);
  };
  std::vector<std::int64_t> times;
  for (std::int64_t t = 0; t < 800; ++t) {
    const std::int64_t tick = (days_from_date(Calendar::noleap, 1999, 5, 1) + t) * kTicksPerDay;
    s.ticks.push_back(tick);
    s.year.push_back(date_from_ticks(Calendar::noleap, tick).year);
    s.phase.push_back(phase_of_year(Calendar::noleap, tick));
    for (std::int64_t p = 0; p < 6; ++p) s.values.push_back(float(value(s.phase.back(), p)));
    times.push_back(t);
  }
  const auto c = HarmonicClimatology::fit(s, times, 3);
  double out[6];
  for (double phase : {0.0, 0.123, 0.77}) {
    c.at(phase, out);
    for (std::int64_t p = 0; p < 6; ++p) CHECK(out[p] == Approx(value(phase, p)).margin(1e-4));
  }
  for (float a : c.anomalies(s)) CHECK(std::abs(a) < 2e-4f);
  CHECK(code_of([&] { HarmonicClimatology::fit(s, {1, 2, 3}, 3); }) == "climate.too_short");
  // Half a year has times enough, but says nothing of the other half.
  CHECK(code_of([&] { HarmonicClimatology::fit(s, std::vector<std::int64_t>(times.begin(), times.begin() + 180), 3); }) == "climate.too_short");
}

TEST_CASE("the share of the year that has passed", "[climate][climatology]") {
  auto at = [](Calendar c, std::int64_t y, int m, int d, int h) { return phase_of_year(c, ticks_from_date(c, {y, m, d, h, 0, 0, 0})); };
  CHECK(at(Calendar::standard, 2003, 1, 1, 0) == 0);
  CHECK(at(Calendar::standard, 2003, 1, 1, 12) == Approx(0.5 / 365.25));
  CHECK(at(Calendar::standard, 2004, 12, 31, 0) == Approx(365 / 365.25));
  CHECK(at(Calendar::day_360, 2004, 7, 1, 0) == Approx(0.5));
  CHECK(at(Calendar::noleap, 2004, 3, 1, 0) == Approx(59.0 / 365));
}

TEST_CASE("row weights are cos(latitude) with mean 1", "[climate][climatology]") {
  const GridSpec grid{{60, 0, -60}, {0}};
  const auto w = grid.row_weights();
  CHECK(w[0] == Approx(0.75));
  CHECK(w[1] == Approx(1.5));
  CHECK(grid_difference(grid, {{60, 0, -60}, {360}}).empty());
  CHECK_FALSE(grid_difference(grid, {{60, 0, -60}, {10}}).empty());
}
