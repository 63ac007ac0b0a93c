// `score`: forecaster and baselines on the same values, and what cannot be scored.
#include <cmath>
#include <nlohmann/json.hpp>

#include "climate/io/writer.hpp"
#include "climate/test_data.hpp"
#include "climate/tools/common.hpp"
#include "climate/tools/made_days.hpp"
#include "climate/tools/statistics.hpp"
#include "climate/tools/tools.hpp"

using namespace tenon;
using namespace tenon::climate;
using namespace tenon::climate_test;

namespace {

struct Case {
  TempFolder folder;
  std::string truth = (folder / "truth.nc").string(), forecast = (folder / "forecast.nc").string();
  LabelledArray days;

  /// Truth: a drift that is hard to persist at places 8 to 11, none elsewhere; the forecast is off by one.
  Case() {
    write_netcdf(truth, daily(2001, 3, field));
    days = daily(2003, 1, [](std::int64_t t, std::size_t p) { return field(t, p) + 1; });
  }
  static double field(std::int64_t ticks, std::size_t p) { return p < 8 ? 5 + 0.1 * double(ticks / kTicksPerDay % 3) : 10 * double(ticks / kTicksPerDay % 7); }
  nlohmann::json scored(Spoken& said, std::vector<std::pair<std::string, std::string>> more = {}) {
    write_netcdf(forecast, days);
    more.insert(more.end(), {{"base", "2001/2002"}, {"lead", "1"}, {"resamples", "50"}});
    run_tool(score_tool(), {forecast, truth}, more, said);
    return nlohmann::json::parse(said.out)["leads"][0];
  }
};

}  // namespace

TEST_CASE("values that the forecast lacks are left out of its baselines too", "[climate][tools]") {
  Case c;
  Spoken whole(true), part(true);
  const auto all = c.scored(whole);
  CHECK(all["share"] == 1.0);
  CHECK(all["persistence"]["rmse"]["value"].get<double>() > 5);
  for (std::int64_t t = 0; t < 365; ++t)
    for (std::int64_t p = 8; p < 12; ++p) c.days.values.data<double>()[t * 12 + p] = std::nan("");
  const auto kept = c.scored(part);
  CHECK(kept["forecast"]["rmse"]["value"].get<double>() == Approx(1));
  CHECK(kept["persistence"]["rmse"]["value"].get<double>() < 0.3);
  CHECK(kept["climatology"]["rmse"]["value"].get<double>() < 0.3);
  const double polar = std::sqrt(3) / 2;
  CHECK(kept["share"].get<double>() == Approx((1 + polar) / (1 + 2 * polar)).margin(1e-6));
  CHECK(part.notes.find("scored on 68.30 % of the area and times") != std::string::npos);
}

TEST_CASE("a forecast without any value is an error, infinite values are named", "[climate][tools]") {
  Case c;
  Spoken said(true);
  c.days.values.data<double>()[3 * 12 + 1] = -INFINITY;
  Error e = error_of([&] { c.scored(said); });
  CHECK(e.code() == "climate.not_finite");
  CHECK(int(e.kind()) == 3);
  CHECK(e.where() == c.forecast);
  CHECK(e.message() == "'z' is minus infinite at 2003-01-04T00:00:00, lat -30, lon 90");
  for (double& x : c.days.values.span<double>()) x = std::nan("");
  e = error_of([&] { c.scored(said); });
  CHECK(e.code() == "climate.missing");
  CHECK(int(e.kind()) == 3);
  CHECK(e.where() == c.forecast);
}

TEST_CASE("an interval from one block is said to have no width", "[climate][tools]") {
  Case c;
  Spoken said(true), usual(true);
  const auto lead = c.scored(said, {{"block", "400"}});
  CHECK(lead["forecast"]["rmse"]["low"] == lead["forecast"]["rmse"]["high"]);
  CHECK(said.notes.find("blocks of 400 times are no shorter than the 365 scored: the intervals have no width") != std::string::npos);
  c.scored(usual);
  CHECK(usual.notes.find("width") == std::string::npos);
}

TEST_CASE("infinite values are counted beside the others", "[climate][tools]") {
  const Statistics s = statistics_of(Tensor::from(std::vector<double>{1, INFINITY, 3, -INFINITY, std::nan("")}, {5}));
  CHECK(s.infinite == 2);
  CHECK(s.missing == 1);
  CHECK(s.minimum == 1);
  CHECK(s.maximum == 3);
  CHECK(s.mean == 2);
  CHECK(s.suspects.empty());
  Case c;
  c.days.values.data<double>()[0] = INFINITY;
  write_netcdf(c.forecast, c.days);
  Spoken said;
  run_tool(info_tool(), {c.forecast}, {}, said);
  CHECK(said.out.find("missing 0, infinite 1, minimum 1, ") != std::string::npos);
  CHECK(said.out.find("'z' holds 1 infinite values") != std::string::npos);
  CHECK(said.out.find("undeclared") == std::string::npos);
}
