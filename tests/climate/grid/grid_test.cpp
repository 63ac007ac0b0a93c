#include "climate/grid/grid.hpp"

#include <cmath>
#include <numbers>
#include <numeric>

#include "climate/test_data.hpp"

using namespace tenon;
using namespace tenon::climate;
using namespace tenon::climate_test;

TEST_CASE("Gaussian latitudes are the zeros of Legendre's polynomial", "[climate][grid]") {
  // Abramowitz and Stegun, table 25.4, n = 4 and n = 8 (sines of the latitudes).
  const auto four = gaussian_latitudes(4), eight = gaussian_latitudes(8);
  auto sine = [](double degrees) { return std::sin(degrees * std::numbers::pi / 180); };
  CHECK(sine(four[0]) == Approx(0.861136311594053).margin(1e-14));
  CHECK(sine(four[1]) == Approx(0.339981043584856).margin(1e-14));
  CHECK(sine(eight[0]) == Approx(0.960289856497536).margin(1e-14));
  CHECK(sine(eight[3]) == Approx(0.183434642495650).margin(1e-14));
  CHECK(four[3] == -four[0]);
  // ECMWF's N32: 87.8637991.
  CHECK(gaussian_latitudes(64)[0] == Approx(87.8637991).margin(1e-7));
}

TEST_CASE("named grids cover the sphere: areas sum to 4 pi", "[climate][grid]") {
  for (const char* name : {"r360x180", "144x73", "144x72", "n32", "F48", "r1x1", "r5x3"}) {
    CAPTURE(name);
    const auto areas = cell_areas(grid_from_name(name));
    // Summed in extended precision: 65,000 roundings of a plain sum are more than is asked for here.
    CHECK(double(std::accumulate(areas.begin(), areas.end(), 0.0L)) == Approx(4 * std::numbers::pi).epsilon(1e-13));
    CHECK(std::all_of(areas.begin(), areas.end(), [](double a) { return a > 0; }));
    CHECK(grid_from_name(name).circular);
  }
  CHECK(grid_from_name("144x73").lat.front() == -90);
  CHECK(grid_from_name("r360x180").lat.front() == -89.5);
  CHECK(error_of([] { grid_from_name("t63"); }).code() == "climate.grid");
}

TEST_CASE("a regular grid is CDO's of the same name, poles and all", "[climate][grid]") {
  // cdo 2.1.1 griddes -topo,NAME: ysize, yfirst, yinc, xsize, xfirst, xinc.
  struct Row {
    const char* name;
    std::size_t ysize;
    double yfirst, yinc;
    std::size_t xsize;
    double xfirst, xinc;
  };
  for (const Row& r : {Row{"r36x18", 18, -85, 10, 36, 0, 10}, Row{"r360x180", 180, -89.5, 1, 360, 0, 1}, Row{"r144x73", 73, -90, 2.5, 144, 0, 2.5}, Row{"r3x2", 2, -45, 90, 3, 0, 120},
                       Row{"r3x3", 3, -90, 90, 3, 0, 120}, Row{"r5x1", 1, 0, 0, 5, 0, 72}, Row{"r1x1", 1, 0, 0, 1, 0, 0}}) {
    CAPTURE(r.name);
    const Grid g = grid_from_name(r.name);
    REQUIRE(g.lat.size() == r.ysize);
    REQUIRE(g.lon.size() == r.xsize);
    for (std::size_t j = 0; j < r.ysize; ++j) CHECK(g.lat[j] == Approx(r.yfirst + r.yinc * double(j)).margin(1e-12));
    for (std::size_t i = 0; i < r.xsize; ++i) CHECK(g.lon[i] == Approx(r.xfirst + r.xinc * double(i)).margin(1e-12));
    CHECK(grid_from_name(r.name + 1).lat == g.lat);
    CHECK(g.lat_cells.front()[0] == -90);
    CHECK(g.lat_cells.back()[1] == 90);
  }
}

TEST_CASE("one latitude or longitude without bounds is a point, with bounds a cell", "[climate][grid]") {
  Axis lat{"lat", "degrees_north", {45.25}, {}}, lon{"lon", "degrees_east", {10.25}, {}};
  const Grid point = grid_of(lat, lon);
  CHECK_FALSE(point.circular);
  CHECK(point.lat_cells[0] == std::array<double, 2>{45.25, 45.25});
  CHECK(point.lon_cells[0] == std::array<double, 2>{10.25, 10.25});
  const Error e = error_of([&] { cell_areas(point); });
  CHECK(e.code() == "climate.grid");
  CHECK(e.hint().find("bounds") != std::string::npos);
  lat.bounds = {{45, 45.5}};
  lon.bounds = {{10, 10.5}};
  CHECK(cell_areas(grid_of(lat, lon))[0] == Approx((std::sin(45.5 * std::numbers::pi / 180) - std::sin(45 * std::numbers::pi / 180)) * 0.5 * std::numbers::pi / 180));
}

TEST_CASE("cells of a regional grid are halfway, bounds are taken as they are, whichever comes first", "[climate][grid]") {
  Axis lat{"lat", "degrees_north", {60, 50, 40}, {}}, lon{"lon", "degrees_east", {350, 0, 10}, {}};
  const Grid g = grid_of(lat, lon);
  CHECK(g.lat_cells[0] == std::array<double, 2>{55, 65});
  CHECK(g.lon_cells[0] == std::array<double, 2>{345, 355});
  CHECK(g.lon_cells[1] == std::array<double, 2>{-5, 5});
  CHECK_FALSE(g.circular);
  lat.bounds = {{66, 55}, {55, 45}, {45, 34}};
  CHECK(grid_of(lat, lon).lat_cells[2] == std::array<double, 2>{34, 45});
  lat.bounds[1] = {57, 45};
  CHECK(error_of([&] { grid_of(lat, lon); }).code() == "climate.bounds");
  lat.bounds[1] = {49, 45};
  CHECK(error_of([&] { grid_of(lat, lon); }).message().find("cell 1") != std::string::npos);
  lat.bounds.clear();
  lat.coordinates[0] = 90.5;
  CHECK(error_of([&] { grid_of(lat, lon); }).code() == "climate.coordinate");
}

TEST_CASE("a doubled meridian is dropped, weights of rows have mean one", "[climate][grid]") {
  LabelledArray a;
  a.name = "t";
  a.values = Tensor::arange(3 * 5, DType::f64).reshape({3, 5});
  a.axes = {{"lat", "degrees_north", {-45, 0, 45}, {}}, {"lon", "degrees_east", {0, 90, 180, 270, 360}, {}}};
  const LabelledArray b = without_doubled_meridian(a);
  CHECK(b.values.shape() == Shape{3, 4});
  CHECK(b.axes[1].coordinates.back() == 270);
  CHECK(b.values.to_vector()[4] == 5);
  const auto w = latitude_weights({-60, 0, 60});
  CHECK(w[0] + w[1] + w[2] == Approx(3));
  CHECK(w[1] / w[0] == Approx(2));
}
