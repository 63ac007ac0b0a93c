/// Variables read block by block give what they give read whole, to the bit.
#include <cmath>
#include <cstring>

#include "climate/grid/regrid.hpp"
#include "climate/io/writer.hpp"
#include "climate/test_data.hpp"
#include "climate/tools/cycle.hpp"

using namespace tenon;
using namespace tenon::climate;
using namespace tenon::climate_test;

namespace {

/// Three years of days on a 5 x 6 grid, with gaps.
LabelledArray sample(DType dtype) {
  constexpr int kDays = 3 * 365;
  LabelledArray a;
  a.name = "tas";
  a.unit = "K";
  std::vector<double> v(kDays * 30);
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = i % 17 == 3 || i % 30 == 7 ? std::nan("") : 280 + 10 * std::sin(double(i) * 0.37);
  a.values = Tensor::from(v, {kDays, 5, 6}).to(dtype);
  Axis time{"time", "days since 2001-01-01", {}, {{"standard_name", "time"}}};
  TimeCoordinates ticks{"standard", {}, {}};
  const std::int64_t start = ticks_from_date(Calendar::standard, {2001, 1, 1});
  for (int d = 0; d < kDays; ++d) {
    time.coordinates.push_back(d + 0.5);
    ticks.ticks.push_back(start + d * kTicksPerDay + kTicksPerDay / 2);
  }
  time.time = ticks;
  a.axes = {time, {"lat", "degrees_north", {60, 30, 0, -30, -60}, {{"standard_name", "latitude"}}}, {"lon", "degrees_east", {0, 60, 120, 180, 240, 300}, {{"standard_name", "longitude"}}}};
  return a;
}

void check_same(const LabelledArray& a, const LabelledArray& b) {
  CHECK(a.values.dtype() == b.values.dtype());
  REQUIRE(a.values.shape() == b.values.shape());
  const Tensor x = a.values.contiguous(), y = b.values.contiguous();
  CHECK(std::memcmp(x.raw(), y.raw(), x.nbytes()) == 0);
  REQUIRE(a.axes.size() == b.axes.size());
  for (std::size_t k = 0; k < a.axes.size(); ++k) {
    CHECK(a.axes[k].name == b.axes[k].name);
    CHECK(a.axes[k].coordinates == b.axes[k].coordinates);
  }
  CHECK(a.attributes == b.attributes);
}

}  // namespace

TEST_CASE("cycles and regridded fields are the same by blocks of any size", "[climate][blocks]") {
  TempFolder folder;
  for (DType dtype : {DType::f32, DType::f64}) {
    write_netcdf(folder / "a.nc", sample(dtype), {.deflate = dtype == DType::f32 ? 1 : 0});
    const auto file = open_netcdf(folder / "a.nc");
    const LabelledArray whole = read_variable(*file, "tas");
    auto blocks = variable_in_blocks(*file, "tas");
    REQUIRE(blocks);
    for (std::int64_t rows : {1, 100, 365, 5000}) {
      blocks->rows = rows;
      CAPTURE(rows);
      for (const CycleOptions& options : {CycleOptions{}, CycleOptions{.kind = CycleKind::daily}, CycleOptions{.kind = CycleKind::daily, .window = 5},
                                          CycleOptions{.kind = CycleKind::daily, .base = {whole.axes[0].time->ticks[200], whole.axes[0].time->ticks[700]}}, CycleOptions{.kind = CycleKind::harmonics}})
        check_same(Cycle(whole, options).as_array(), Cycle(*blocks, options).as_array());
      for (Method method : {Method::conservative, Method::bilinear, Method::nearest}) {
        RegridOptions options;
        options.method = method;
        const Grid target = grid_from_name("7x4");
        const auto ours = regrid(*blocks, target, options);
        REQUIRE(ours);
        check_same(regrid(whole, target, options), *ours);
      }
    }
  }
}

TEST_CASE("what cannot be read in blocks says so", "[climate][blocks]") {
  TempFolder folder;
  LabelledArray a = sample(DType::f32);
  a.values = Tensor::zeros(a.values.shape(), DType::i32, kCpu);
  write_netcdf(folder / "whole.nc", a);
  CHECK_FALSE(variable_in_blocks(*open_netcdf(folder / "whole.nc"), "tas"));  // i32, or f64 where one is missing

  a = sample(DType::f32);
  std::swap(a.axes[1], a.axes[2]);
  a.values = a.values.transpose(1, 2).contiguous();
  write_netcdf(folder / "turned.nc", a);
  const auto file = open_netcdf(folder / "turned.nc");
  const auto blocks = variable_in_blocks(*file, "tas");
  REQUIRE(blocks);
  CHECK_FALSE(regrid(*blocks, grid_from_name("7x4"), {}));
}
