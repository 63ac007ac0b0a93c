#include "climate/tools/tools.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "climate/grid/grid.hpp"
#include "climate/io/writer.hpp"
#include "climate/test_data.hpp"
#include "climate/tools/cycle.hpp"
#include "climate/tools/made_days.hpp"
#include "climate/tools/scoring.hpp"
#include "climate/tools/select.hpp"

using namespace tenon;
using namespace tenon::climate;
using namespace tenon::climate_test;
using Options = std::vector<std::pair<std::string, std::string>>;

TEST_CASE("longitudes are selected eastwards across the seam of any file", "[climate][tools]") {
  const LabelledArray a = daily(2000, 1, [](std::int64_t, std::size_t p) { return double(p % 4); });
  const LabelledArray b = select_longitudes(a, 260, 10), c = select_longitudes(a, -100, 10);
  CHECK(b.axes[2].coordinates == std::vector<double>{270, 360});
  CHECK(b.values.select(0, 0).select(0, 0).to_vector() == std::vector<double>{3, 0});
  CHECK(c.values.to_vector() == b.values.to_vector());
  CHECK(select_longitudes(a, 0, 360).values.size(2) == 4);
  CHECK(error_of([&] { select_longitudes(a, 10, 20); }).code() == "climate.nothing_selected");
  CHECK(select_latitudes(a, -1, 31).axes[1].coordinates == std::vector<double>{0, 30});
  CHECK(error_of([&] { select_levels(a, {500}); }).code() == "climate.no_axis");
}

TEST_CASE("a meridian that the file has twice comes once, or closes the circle", "[climate][tools]") {
  LabelledArray a;
  a.name = "v";
  a.values = Tensor::from(std::vector<double>{0, 1, 2, 3, 4}, {1, 5});
  a.axes = {{"lat", "degrees_north", {0}, {{"standard_name", "latitude"}}}, {"lon", "degrees_east", {0, 90, 180, 270, 360}, {{"standard_name", "longitude"}}}};
  const auto lon = [&](double west, double east) { return select_longitudes(a, west, east).axes[1].coordinates; };
  CHECK(lon(0, 360) == std::vector<double>{0, 90, 180, 270, 360});
  CHECK(select_longitudes(a, 0, 360).values.to_vector() == std::vector<double>{0, 1, 2, 3, 4});
  CHECK(lon(-15, 12) == std::vector<double>{0});
  CHECK(lon(350, 20) == std::vector<double>{0});
  CHECK(lon(0, 359) == std::vector<double>{0, 90, 180, 270});
  CHECK(lon(-180, 180) == std::vector<double>{180, 270, 360, 450});
  a.axes[1].coordinates = {-180, -90, 0, 90, 180};
  CHECK(lon(170, 190) == std::vector<double>{-180});
  CHECK(lon(-180, 180) == std::vector<double>{-180, -90, 0, 90, 180});
  a.axes[1].coordinates = {360, 270, 180, 90, 0};
  CHECK(lon(0, 360) == std::vector<double>{360, 270, 180, 90, 0});
  CHECK(lon(-10, 100).size() == 2);
}

TEST_CASE("levels come in the order of the file, each once", "[climate][tools]") {
  LabelledArray a;
  a.name = "v";
  a.values = Tensor::from(std::vector<double>{0, 1, 2}, {3});
  a.axes = {{"plev", "hPa", {1000, 850, 500}, {{"standard_name", "air_pressure"}}}};
  CHECK(select_levels(a, {500, 1000}).axes[0].coordinates == std::vector<double>{1000, 500});
  CHECK(select_levels(a, {500, 1000}).values.to_vector() == std::vector<double>{0, 2});
  CHECK(error_of([&] { select_levels(a, {500, 850, 500}); }).code() == "usage.select");
}

TEST_CASE("29 February in a daily climatology: between its neighbours where there is none, with a note, and missing where its points are", "[climate][tools]") {
  const auto number = [](std::int64_t t, std::size_t p) { return double(((t / kTicksPerDay) % 1000)) + 1000 * double(p); };
  const Cycle without(daily(2001, 2, number), {.kind = CycleKind::daily});
  REQUIRE(without.notes().size() == 1);
  CHECK(without.notes()[0].find("has no 29 February") != std::string::npos);
  CHECK(without.as_array().values.to_vector()[59 * 12] == (without.as_array().values.to_vector()[58 * 12] + without.as_array().values.to_vector()[60 * 12]) / 2);
  LabelledArray leap = daily(2004, 1, number);
  leap.values.data<double>()[59 * 12 + 3] = std::nan("");
  const Cycle with(leap, {.kind = CycleKind::daily});
  CHECK(with.notes().empty());
  CHECK(std::isnan(with.as_array().values.to_vector()[59 * 12 + 3]));
  CHECK(with.as_array().values.to_vector()[59 * 12 + 4] == number(leap.axes[0].time->ticks[59], 4));
}

TEST_CASE("annual cycles: months, days and harmonics give back what was put in", "[climate][tools]") {
  const LabelledArray monthly = daily(2001, 4, [](std::int64_t t, std::size_t p) { return double(date_from_ticks(Calendar::standard, t).month) + 100 * double(p); });
  const LabelledArray months = Cycle(monthly, {.kind = CycleKind::monthly}).as_array();
  REQUIRE(months.values.shape() == Shape{12, 3, 4});
  for (int m = 0; m < 12; ++m) CHECK(months.values.to_vector()[std::size_t(m * 12 + 3)] == m + 1 + 300);
  CHECK(date_text(Calendar::standard, months.axes[0].time->bounds[0][0]) == "2001-01-01T00:00:00");
  CHECK(date_text(Calendar::standard, months.axes[0].time->bounds[11][1]) == "2005-01-01T00:00:00");
  for (double x : anomaly_of(monthly, Cycle::from_climatology(months)).values.to_vector()) REQUIRE(x == 0);

  const LabelledArray leap = daily(2001, 4, [](std::int64_t t, std::size_t) { return double(day_of_year(Calendar::standard, date_from_ticks(Calendar::standard, t))); });
  CHECK(Cycle(leap, {.kind = CycleKind::daily}).as_array().values.size(0) == 366);
  const LabelledArray noleap = daily(2001, 2, [](std::int64_t t, std::size_t) { return double(date_from_ticks(Calendar::noleap, t).day); }, Calendar::noleap);
  CHECK(Cycle(noleap, {.kind = CycleKind::daily}).as_array().values.size(0) == 365);
  for (double x : anomaly_of(noleap, Cycle(noleap, {.kind = CycleKind::daily})).values.to_vector()) REQUIRE(x == 0);

  const LabelledArray wave = daily(2001, 6, [](std::int64_t t, std::size_t p) { return p == 7 && t % (7 * kTicksPerDay) == 0 ? std::nan("") : 1e5 + yearly(t); });
  const Cycle fitted(wave, {.kind = CycleKind::harmonics, .harmonics = 2});
  for (double x : anomaly_of(wave, fitted).values.to_vector()) REQUIRE((std::isnan(x) || std::abs(x) < 1e-9));
  CHECK(error_of([&] { Cycle(wave, {.kind = CycleKind::monthly, .base = {0, 1}}); }).code() == "climate.base");
}

TEST_CASE("SLP over the North Atlantic: the README's climatology and persistence to three decimals", "[climate][tools]") {
  TENON_NEEDS_CLIMATE_DATA(data);
  TempFolder folder;
  const std::string slp = (data / "slp_forecast" / "ncep_slp_2001-2008.nc").string(), late = (folder / "late.nc").string();
  Spoken quiet;
  run_tool(select_tool(), {slp, late}, {{"time", "2007/2008"}}, quiet);
  Spoken said(true);
  run_tool(score_tool(), {late, slp}, {{"base", "2001/2006"}, {"lead", "1"}, {"resamples", "200"}}, said);
  const auto lead = nlohmann::json::parse(said.out)["leads"][0];
  CHECK(lead["times"] == 731);
  CHECK(lead["climatology"]["rmse"]["value"].get<double>() == Approx(907.3).margin(0.06));
  CHECK(lead["persistence"]["rmse"]["value"].get<double>() == Approx(642.9).margin(0.06));
  CHECK(lead["persistence"]["acc"]["value"].get<double>() == Approx(0.738).margin(0.0006));
  CHECK(lead["forecast"]["rmse"]["value"].get<double>() == 0);
  CHECK(lead["forecast"]["acc"]["value"].get<double>() == Approx(1));
  const Error leak = error_of([&] { run_tool(score_tool(), {late, slp}, {{"base", "2001/2007"}}, said); });
  CHECK(leak.code() == "climate.leak");
}

TEST_CASE("scores of two points by hand", "[climate][tools]") {
  const std::vector<double> f = {1, 3, 2, std::nan("")}, o = {0, 0, 1, 5}, c = {-1, 1, 0, 0}, w = {1, 3};
  const FieldErrors e = field_errors(f, o, c, w);
  CHECK(e.mse[0] == Approx((1 + 3 * 9) / 4.0));
  CHECK(e.bias[0] == Approx((1 + 3 * 3) / 4.0));
  CHECK(e.acc[0] == Approx((2 * 1 + 3 * 2 * -1) / std::sqrt((4 + 3 * 4.0) * (1 + 3 * 1.0))));
  CHECK(e.mse[1] == Approx(1));
  CHECK(scores_of(e, 1, 100).rmse.value == Approx(std::sqrt((7 + 1) / 2.0)));
}

TEST_CASE("tools write CF files that read back, and refuse to overwrite", "[climate][tools]") {
  TempFolder folder;
  const std::string in = (folder / "in.nc").string(), out = (folder / "out.nc").string();
  write_netcdf(in, daily(2001, 2, [](std::int64_t t, std::size_t p) { return yearly(t) + double(p); }));
  Spoken said;
  run_tool(regrid_tool(), {in, out}, {{"grid", "r8x4"}, {"method", "nearest"}}, said);
  const LabelledArray a = read_netcdf(out);
  CHECK(a.values.shape() == Shape{730, 4, 8});
  CHECK(a.axes[1].bounds.size() == 4);
  CHECK(a.unit == "m");
  const Error there = error_of([&] { run_tool(regrid_tool(), {in, out}, {{"grid", "r8x4"}}, said); });
  CHECK(there.code() == "climate.exists");
  CHECK(int(there.kind()) == 2);
  CHECK(error_of([&] { run_tool(regrid_tool(), {in, in}, {{"grid", "r8x4"}, {"overwrite", "true"}}, said); }).code() == "climate.exists");
  run_tool(climatology_tool(), {in, out}, {{"kind", "monthly"}, {"overwrite", "true"}}, said);
  const auto file = open_netcdf(out);
  CHECK(file->variable("time").find("climatology") != nullptr);
  CHECK(read_netcdf(out).attributes.at("cell_methods").find("over years") != std::string::npos);
}
