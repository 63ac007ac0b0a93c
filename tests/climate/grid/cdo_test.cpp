/// Regridding beside CDO, where it is installed: its weights are made by other people in another way (YAC, SCRIP).
#include <cmath>
#include <cstdlib>

#include "climate/grid/regrid.hpp"
#include "climate/io/dataset.hpp"
#include "climate/io/writer.hpp"
#include "climate/test_data.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using namespace tenon::climate;
using namespace tenon::climate_test;

namespace {

LabelledArray noise(const Grid& g) {
  LabelledArray a;
  a.name = "x";
  a.axes = {latitude_axis(g), longitude_axis(g)};
  const Random random(3, 9);
  std::vector<double> v;
  for (std::size_t i = 0; i < g.lat.size() * g.lon.size(); ++i) v.push_back(280 + 10 * double(random.normal(i)));
  a.values = Tensor::from(v, {std::int64_t(g.lat.size()), std::int64_t(g.lon.size())});
  return a;
}

}  // namespace

TEST_CASE("regridding agrees with CDO between regular and Gaussian grids", "[climate][regrid][slow]") {
  if (std::system("cdo --version >/dev/null 2>&1") != 0) {
    WARN("skipped: needs cdo");
    return;
  }
  TempFolder folder;
  for (const char* from : {"r72x36", "n16"}) {
    const LabelledArray a = noise(grid_from_name(from));
    write_netcdf(folder / "in.nc", a);
    for (const char* to : {"r40x20", "n24", "r144x72"}) {
      for (const auto& [method, operation] : {std::pair{Method::conservative, "remapcon"}, {Method::bilinear, "remapbil"}, {Method::nearest, "remapnn"}}) {
        CAPTURE(from, to, operation);
        const std::string command = std::string("cdo -s -b F64 ") + operation + "," + to + " " + (folder / "in.nc").string() + " " + (folder / "out.nc").string() + " >/dev/null 2>&1";
        REQUIRE(std::system(command.c_str()) == 0);
        const LabelledArray theirs = read_netcdf(folder / "out.nc");
        RegridOptions options;
        options.method = method;
        const Grid target = grid_from_name(to);
        const auto x = regrid(a, target, options).values.to_vector(), y = theirs.values.to_vector();
        REQUIRE(x.size() == y.size());
        double worst = 0;
        for (std::size_t i = 0; i < x.size(); ++i) {
          // Beyond the outermost row CDO extrapolates; bilinear values are compared between the centres.
          const double lat = target.lat[i / target.lon.size()];
          if (method == Method::bilinear && std::abs(lat) > std::abs(a.axes[0].coordinates[0])) continue;
          worst = std::max(worst, std::abs(x[i] - y[i]));
        }
        CHECK(worst < (method == Method::nearest ? 1e-12 : 1e-9));
      }
    }
  }
}
