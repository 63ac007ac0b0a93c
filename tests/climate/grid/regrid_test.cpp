#include "climate/grid/regrid.hpp"

#include <cmath>
#include <numbers>

#include "climate/test_data.hpp"
#include "tenon/device.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using namespace tenon::climate;
using namespace tenon::climate_test;

namespace {

LabelledArray on(const Grid& g, const std::function<double(double, double)>& f, DType dtype = DType::f64) {
  LabelledArray a;
  a.name = "x";
  a.axes = {latitude_axis(g), longitude_axis(g)};
  std::vector<double> v;
  for (double lat : g.lat)
    for (double lon : g.lon) v.push_back(f(lat, lon));
  a.values = Tensor::from(v, {std::int64_t(g.lat.size()), std::int64_t(g.lon.size())}).to(dtype);
  return a;
}

double integral(const LabelledArray& a) {
  const auto areas = cell_areas(grid_of(a));
  const auto v = a.values.to_vector();
  double sum = 0;
  for (std::size_t i = 0; i < v.size(); ++i) sum += areas[i] * v[i];
  return sum;
}

double wave(double lat, double lon) {
  const double y = lat * std::numbers::pi / 180, x = lon * std::numbers::pi / 180;
  return 2 + std::cos(y) * std::cos(y) * std::cos(2 * x) + std::sin(3 * y);
}

}  // namespace

TEST_CASE("conservative regridding keeps the integral to 1e-13 and a constant to the bit", "[climate][regrid]") {
  const Random random(7, 1);
  for (const char* from : {"r36x18", "n16", "37x19"}) {
    for (const char* to : {"r20x10", "n24", "144x73", "r7x5"}) {
      CAPTURE(from, to);
      std::uint64_t i = 0;
      const LabelledArray a = on(grid_from_name(from), [&](double, double) { return 280 + double(random.normal(i++)); });
      const LabelledArray b = regrid(a, grid_from_name(to), {});
      CHECK(integral(b) == Approx(integral(a)).epsilon(1e-13));
      for (Method m : {Method::conservative, Method::bilinear, Method::nearest}) {
        RegridOptions options;
        options.method = m;
        for (double x : regrid(on(grid_from_name(from), [](double, double) { return 273.15; }, DType::f32), grid_from_name(to), options).values.to_vector()) REQUIRE(x == double(273.15f));
      }
    }
  }
}

TEST_CASE("regridding onto the same grid changes nothing", "[climate][regrid]") {
  const Grid g = grid_from_name("n16");
  const LabelledArray a = on(g, wave);
  for (Method m : {Method::conservative, Method::bilinear, Method::nearest}) {
    RegridOptions options;
    options.method = m;
    const auto x = a.values.to_vector(), y = regrid(a, g, options).values.to_vector();
    for (std::size_t i = 0; i < x.size(); ++i) REQUIRE(y[i] == Approx(x[i]).epsilon(1e-14));
  }
}

TEST_CASE("bilinear is exact for what is linear in latitude and longitude, the pole is the mean of its row", "[climate][regrid]") {
  const Grid source = grid_from_name("r72x36");
  RegridOptions options;
  options.method = Method::bilinear;
  const LabelledArray a = on(source, [](double lat, double) { return 3 * lat + 7; });
  const Grid target = grid_from_name("144x73");
  const auto y = regrid(a, target, options).values.to_vector();
  for (std::size_t j = 1; j + 1 < target.lat.size(); ++j)
    for (std::size_t i = 0; i < target.lon.size(); ++i) REQUIRE(y[j * target.lon.size() + i] == Approx(3 * target.lat[j] + 7));
  const LabelledArray b = on(source, [](double lat, double lon) { return lat > 85 ? lon : 0.0; });
  CHECK(regrid(b, target, options).values.to_vector()[72 * 144 + 5] == Approx((0 + 355) / 2.0));
}

TEST_CASE("missing values are left out, targets below the threshold or outside are missing", "[climate][regrid]") {
  const double nothing = std::nan("");
  const Grid source = grid_from_name("r8x4"), coarse = grid_from_name("r4x2");
  // Each coarse cell holds four: one, three and four of them missing.
  LabelledArray a = on(source, [&](double lat, double lon) { return lat > 0 && lon < 40 && lat < 40 ? nothing : 5.0; });
  auto y = regrid(a, coarse, {}).values.to_vector();
  for (double v : y) CHECK(v == 5);
  RegridOptions all;
  all.least_valid = 1;
  y = regrid(a, coarse, all).values.to_vector();
  CHECK(std::count_if(y.begin(), y.end(), [](double v) { return std::isnan(v); }) > 0);
  // A regional source: what it does not cover is missing, never 0.
  LabelledArray b = on(source, wave);
  b.values = b.values.narrow(0, 2, 2);
  b.axes[0].coordinates.erase(b.axes[0].coordinates.begin(), b.axes[0].coordinates.begin() + 2);
  b.axes[0].bounds.erase(b.axes[0].bounds.begin(), b.axes[0].bounds.begin() + 2);
  for (Method m : {Method::conservative, Method::bilinear, Method::nearest}) {
    RegridOptions options;
    options.method = m;
    const auto z = regrid(b, coarse, options).values.to_vector();
    for (std::size_t i = 0; i < 4; ++i) CHECK(std::isnan(z[i]));
    for (std::size_t i = 4; i < 8; ++i) CHECK_FALSE(std::isnan(z[i]));
  }
}

TEST_CASE("a source of one row, one column or one point without bounds does not fill the globe", "[climate][regrid]") {
  const Grid target = grid_from_name("r36x18");
  auto source = [](std::vector<double> lat, std::vector<double> lon) {
    LabelledArray a;
    a.name = "x";
    a.values = Tensor::full({std::int64_t(lat.size()), std::int64_t(lon.size())}, 7.0, DType::f64, kCpu);
    a.axes = {{"lat", "degrees_north", lat, {}}, {"lon", "degrees_east", lon, {}}};
    return a;
  };
  std::vector<double> all_lon;
  for (int i = 0; i < 36; ++i) all_lon.push_back(10 * i);
  for (const LabelledArray& a : {source({45.25}, {10.25}), source({45.25}, all_lon), source({-45, 45}, {10.25})}) {
    CAPTURE(a.values.str());
    CHECK(error_of([&] { regrid(a, target, {}); }).code() == "climate.grid");
    for (Method m : {Method::bilinear, Method::nearest}) {
      RegridOptions options;
      options.method = m;
      for (double v : regrid(a, target, options).values.to_vector()) REQUIRE(std::isnan(v));
    }
  }
  // A target that is the very point has its value; a row that lies on targets gives it to them alone.
  for (Method m : {Method::bilinear, Method::nearest}) {
    RegridOptions options;
    options.method = m;
    const auto z = regrid(source({45}, all_lon), target, options).values.to_vector();
    for (std::size_t i = 0; i < z.size(); ++i) REQUIRE((i / 36 == 13 ? z[i] == 7 : std::isnan(z[i])));
    const auto one = regrid(source({45}, {10}), target, options).values.to_vector();
    CHECK(std::count_if(one.begin(), one.end(), [](double v) { return v == 7; }) == 1);
  }
  // With bounds it is a cell like any other.
  LabelledArray cell = source({45}, {10});
  cell.axes[0].bounds = {{40, 50}};
  cell.axes[1].bounds = {{5, 15}};
  const auto z = regrid(cell, target, {}).values.to_vector();
  CHECK(std::count_if(z.begin(), z.end(), [](double v) { return v == 7; }) == 1);
}

TEST_CASE("order and sign of coordinates do not matter", "[climate][regrid]") {
  const Grid target = grid_from_name("n8");
  Axis lat{"lat", "degrees_north", {}, {}}, lon{"lon", "degrees_east", {}, {}};
  for (int j = 0; j < 18; ++j) lat.coordinates.push_back(85 - 10 * j);
  for (int i = 0; i < 36; ++i) lon.coordinates.push_back(-180 + 10 * i);
  const LabelledArray a = on(grid_of(lat, lon), wave), b = on(grid_from_name("r36x18"), wave);
  for (Method m : {Method::conservative, Method::bilinear}) {
    RegridOptions options;
    options.method = m;
    const auto x = regrid(a, target, options).values.to_vector(), y = regrid(b, target, options).values.to_vector();
    for (std::size_t i = 0; i < x.size(); ++i) REQUIRE(x[i] == Approx(y[i]).epsilon(1e-12));
  }
}

TEST_CASE("the same bits for one, two and four threads", "[climate][regrid]") {
  const LabelledArray a = on(grid_from_name("r180x90"), wave, DType::f32);
  const int before = thread_count();
  std::vector<std::vector<double>> results;
  for (int threads : {1, 2, 4}) {
    set_thread_count(threads);
    results.push_back(regrid(a, grid_from_name("n24"), {}).values.to_vector());
  }
  set_thread_count(before);
  CHECK(results[0] == results[1]);
  CHECK(results[0] == results[2]);
}
