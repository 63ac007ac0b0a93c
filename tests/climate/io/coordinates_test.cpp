#include "climate/io/coordinates.hpp"

#include <cmath>
#include <numbers>

#include "climate/io/dataset.hpp"
#include "climate/io/units.hpp"
#include "climate/io/writer.hpp"
#include "climate/test_data.hpp"

using namespace tenon;
using namespace tenon::climate;
using namespace tenon::climate_test;

namespace {

/// A field of latitudes and longitudes in some unit, `factor` of it a degree, with bounds.
LabelledArray field(const std::string& unit, double factor, bool standard_names) {
  LabelledArray a;
  a.name = "t";
  a.values = Tensor::zeros({3, 4}, DType::f32, kCpu);
  Axis lat{"lat", unit, {}, {{"axis", "Y"}}}, lon{"lon", unit, {}, {{"axis", "X"}}};
  if (standard_names) {
    lat.attributes["standard_name"] = "latitude";
    lon.attributes["standard_name"] = "longitude";
  }
  for (double y : {-30.0, 0.0, 30.0}) {
    lat.coordinates.push_back(y * factor);
    lat.bounds.push_back({(y - 15) * factor, (y + 15) * factor});
  }
  for (double x : {0.0, 10.0, 20.0, 30.0}) {
    lon.coordinates.push_back(x * factor);
    lon.bounds.push_back({(x - 5) * factor, (x + 5) * factor});
  }
  a.axes = {lat, lon};
  return a;
}

}  // namespace

TEST_CASE("latitudes and longitudes in any angle are in degrees in memory, bounds too, with a note", "[climate][coordinates]") {
  TempFolder folder;
  for (const bool standard_names : {true, false}) {
    for (const auto& [unit, factor] : {std::pair<const char*, double>{"radian", std::numbers::pi / 180}, {"rad", std::numbers::pi / 180}, {"arcminute", 60.0}}) {
      CAPTURE(unit, standard_names);
      write_netcdf(folder / "a.nc", field(unit, factor, standard_names));
      std::string notes;
      ReadOptions options;
      options.note = [&](const std::string& text) { notes += text + "\n"; };
      const LabelledArray a = read_netcdf(folder / "a.nc", "t", options);
      const int lat = require_axis(a, AxisRole::latitude), lon = require_axis(a, AxisRole::longitude);
      CHECK(a.axes[std::size_t(lat)].unit == "degrees_north");
      CHECK(a.axes[std::size_t(lon)].unit == "degrees_east");
      CHECK(a.axes[0].coordinates[0] == Approx(-30).epsilon(1e-14));
      CHECK(a.axes[0].bounds[2][1] == Approx(45).epsilon(1e-14));
      CHECK(a.axes[1].coordinates[3] == Approx(30).epsilon(1e-14));
      CHECK(a.axes[1].bounds[0][0] == Approx(-5).epsilon(1e-14));
      CHECK(notes.find(std::string("'lat' is in ") + unit) != std::string::npos);
      CHECK(notes.find(std::string("'lon' is in ") + unit) != std::string::npos);
    }
  }
  std::string notes;
  ReadOptions options;
  options.note = [&](const std::string& text) { notes += text + "\n"; };
  write_netcdf(folder / "a.nc", field("degrees", 1, true));
  CHECK(read_netcdf(folder / "a.nc", "t", options).axes[0].coordinates == std::vector<double>{-30, 0, 30});
  CHECK(notes.empty());
}

TEST_CASE("a latitude whose unit is no angle is refused by its name", "[climate][coordinates]") {
  TempFolder folder;
  for (const char* unit : {"km", "m", "1", "sr", "K", "furlong per fortnight"}) {
    CAPTURE(unit);
    write_netcdf(folder / "a.nc", field(unit, 1, true));
    const Error e = error_of([&] { read_netcdf(folder / "a.nc", "t"); });
    CHECK(e.code() == "climate.units");
    CHECK(e.message().find("'lat'") != std::string::npos);
    CHECK(e.message().find(unit) != std::string::npos);
    CHECK(e.hint().find("degrees_north") != std::string::npos);
  }
}

TEST_CASE("which units are angles", "[climate][units]") {
  for (const char* unit : {"degree", "degrees", "degrees_north", "degrees_east", "Degrees_North", "degN", "deg", " degrees north"}) CHECK(degrees_in(unit) == 1);
  CHECK(*degrees_in("radian") == Approx(180 / std::numbers::pi));
  CHECK(*degrees_in("arcsecond") == Approx(1 / 3600.0));
  for (const char* unit : {"1", "%", "sr", "rad s-1", "km", "degC", "nonsense"}) CHECK_FALSE(degrees_in(unit));
}
