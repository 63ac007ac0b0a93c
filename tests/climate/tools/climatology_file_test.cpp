// `anomaly --climatology FILE`: what the file holds is matched by coordinates and units, or refused.
#include <cmath>

#include "climate/io/dataset.hpp"
#include "climate/io/writer.hpp"
#include "climate/test_data.hpp"
#include "climate/tools/alignment.hpp"
#include "climate/tools/common.hpp"
#include "climate/tools/cycle.hpp"
#include "climate/tools/made_days.hpp"
#include "climate/tools/tools.hpp"
#include "tenon/io/file.hpp"

using namespace tenon;
using namespace tenon::climate;
using namespace tenon::climate_test;

namespace {

double value(std::int64_t ticks, std::size_t place) { return 1000 + 10 * double(date_from_ticks(Calendar::standard, ticks).month) + double(place); }

/// A file of days, and anomalies from climatologies that a change was made to.
struct Case {
  TempFolder folder;
  std::string in = (folder / "in.nc").string(), changed = (folder / "climatology.nc").string(), out = (folder / "out.nc").string();
  LabelledArray days = daily(2001, 2, value);
  Spoken said;

  Case() {
    days.unit = "Pa";
    write_netcdf(in, days);
  }
  LabelledArray months() const { return Cycle(days, {.kind = CycleKind::monthly}).as_array(); }
  std::vector<double> anomalies_from(const LabelledArray& climatology) {
    write_netcdf(changed, climatology);
    run_tool(anomaly_tool(), {in, out}, {{"climatology", changed}, {"overwrite", "true"}}, said);
    return read_netcdf(out).values.to_vector();
  }
  Error refusal(const LabelledArray& climatology) {
    return error_of([&] { anomalies_from(climatology); });
  }
};

}  // namespace

TEST_CASE("a climatology in another unit is converted, of another quantity refused", "[climate][tools]") {
  Case c;
  LabelledArray other = c.months();
  for (double& x : other.values.span<double>()) x *= 0.01;
  other.unit = "hPa";
  for (double x : c.anomalies_from(other)) REQUIRE(std::abs(x) < 1e-9);
  other.unit = "K";
  const Error e = c.refusal(other);
  CHECK(e.code() == "climate.units");
  CHECK(int(e.kind()) == 3);
  CHECK(e.message().find("the climatology is in 'K', the input in 'Pa'") != std::string::npos);
  CHECK(e.where() == c.changed);
  other.unit = "";
  CHECK(c.refusal(other).code() == "climate.units");
}

TEST_CASE("a climatology is matched by its coordinates, in any order of them", "[climate][tools]") {
  Case c;
  const LabelledArray months = c.months();
  LabelledArray turned = taken(taken(months, 1, {2, 1, 0}), 2, {2, 3, 0, 1});
  for (double x : c.anomalies_from(turned)) REQUIRE(x == 0);
  turned.axes[2].coordinates = {-180, -90, 0, 90};  // the same meridians
  for (double x : c.anomalies_from(turned)) REQUIRE(x == 0);
  turned.values = turned.values.transpose(1, 2).contiguous();
  std::swap(turned.axes[1], turned.axes[2]);
  for (double x : c.anomalies_from(turned)) REQUIRE(x == 0);

  LabelledArray south = months;
  for (double& x : south.axes[1].coordinates) x -= 60;
  const Error region = c.refusal(south);
  CHECK(region.code() == "climate.grid");
  CHECK(region.message() == "the climatology has no lat 0, which the input has (the climatology lat: 3 from -90 to -30; the input lat: 3 from -30 to 30)");
  LabelledArray east = months;
  for (double& x : east.axes[2].coordinates) x += 1;
  CHECK(c.refusal(east).code() == "climate.grid");
  CHECK(c.refusal(taken(months, 1, {0, 1})).code() == "climate.grid");
}

TEST_CASE("a climatology's times must be months or days of a year, each once", "[climate][tools]") {
  Case c;
  std::vector<std::int64_t> rows;
  for (std::int64_t d = 0; d < 12; ++d) rows.push_back(d);
  const Error days = c.refusal(taken(c.days, 0, rows));
  CHECK(days.code() == "climate.base");
  CHECK(days.message() == "the 12 times of 'z', 2001-01-01 to 2001-01-12, are no climatology: month 1 comes twice");
  rows.clear();
  for (std::int64_t d = 0; d < 362; ++d) rows.push_back(d);
  CHECK(c.refusal(taken(c.days, 0, rows)).message().find("lacks 3 days: 12-29 to 12-31") != std::string::npos);
  for (std::int64_t d = 362; d < 365; ++d) rows.push_back(d);
  for (double x : c.anomalies_from(taken(c.days, 0, rows))) REQUIRE(x == 0);
  CHECK(c.said.notes.find("no climatology bounds: its 365 times are taken for the days of a climatology") != std::string::npos);

  const LabelledArray days_360 = daily(2001, 1, [](std::int64_t, std::size_t) { return 1.0; }, Calendar::day_360);
  LabelledArray pa = days_360;
  pa.unit = "Pa";
  CHECK(c.refusal(pa).code() == "climate.calendar");
  // Days of another calendar are found by month and day.
  LabelledArray noleap = daily(2001, 1, [](std::int64_t t, std::size_t p) { return 1000 + 10 * double(date_from_ticks(Calendar::noleap, t).month) + double(p); }, Calendar::noleap);
  noleap.unit = "Pa";
  for (double x : c.anomalies_from(noleap)) REQUIRE(x == 0);
}

TEST_CASE("values without a climatology are counted, most of them refused", "[climate][tools]") {
  Case c;
  LabelledArray holed = c.months();
  for (std::int64_t p = 0; p < 12; ++p) holed.values.data<double>()[p] = std::nan("");
  c.anomalies_from(holed);
  CHECK(c.said.notes.find("744 of 8760 values have no climatology: their anomaly is missing") != std::string::npos);
  for (std::int64_t i = 0; i < 8 * 12; ++i) holed.values.data<double>()[i] = std::nan("");
  CHECK(c.refusal(holed).code() == "climate.base");
}

TEST_CASE("infinite values are refused by time and place", "[climate][tools]") {
  Case c;
  c.days.values.data<double>()[40 * 12 + 6] = INFINITY;
  write_netcdf(c.in, c.days);
  for (const auto& tool : {climatology_tool(), anomaly_tool()}) {
    const Error e = error_of([&] { run_tool(tool, {c.in, c.out}, {}, c.said); });
    CHECK(e.code() == "climate.not_finite");
    CHECK(int(e.kind()) == 3);
    CHECK(e.message() == "'z' is infinite at 2001-02-10T00:00:00, lat 0, lon 180");
    CHECK(e.where() == c.in);
  }
  run_tool(climatology_tool(), {c.in, c.out}, {{"mask", "inf"}}, c.said);
  for (const char* method : {"conservative", "bilinear", "nearest"})
    CHECK(error_of([&] { run_tool(regrid_tool(), {c.in, c.changed}, {{"grid", "r6x4"}, {"method", method}}, c.said); }).code() == "climate.not_finite");
  CHECK_FALSE(std::filesystem::exists(c.changed));
}

TEST_CASE("a tool that is asked to stop leaves nothing", "[climate][tools]") {
  Case c;
  Spoken said;
  said.stop = true;
  for (const auto& [tool, params] : std::vector<std::pair<ToolEntry, std::vector<std::pair<std::string, std::string>>>>{
           {climatology_tool(), {}}, {anomaly_tool(), {}}, {regrid_tool(), {{"grid", "r6x4"}}}, {select_tool(), {{"lat", "-10,40"}}}}) {
    INFO(tool.name);
    CHECK(error_of([&] { run_tool(tool, {c.in, c.out}, params, said); }).code() == "run.interrupted");
    CHECK(files().list(c.folder.path()).size() == 1);
  }
}

TEST_CASE("classic files are not compressed", "[climate][tools]") {
  Case c;
  const Error e = error_of([&] { run_tool(climatology_tool(), {c.in, c.out}, {{"classic", "true"}, {"deflate", "5"}}, c.said); });
  CHECK(int(e.kind()) == 2);
  CHECK(e.message().find("--deflate 5 and --classic exclude each other") != std::string::npos);
  run_tool(climatology_tool(), {c.in, c.out}, {{"classic", "true"}, {"deflate", "0"}}, c.said);
  run_tool(climatology_tool(), {c.in, c.out}, {{"classic", "true"}, {"overwrite", "true"}}, c.said);
}
