#include "climate/io/writer.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <csignal>

#include "climate/test_data.hpp"
#include "core/io/faulty_files.hpp"

using namespace tenon;
using namespace tenon::climate;
using namespace tenon::climate_test;

namespace {

LabelledArray sample() {
  LabelledArray a;
  a.name = "tas";
  a.unit = "K";
  a.attributes = {{"standard_name", "air_temperature"}, {"cell_methods", "time: mean"}};
  a.numbers = {{"level", {2}}};
  std::vector<float> v(24);
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = 250.25f + float(i);
  v[5] = std::nanf("");
  a.values = Tensor::from(v, {2, 3, 4});
  Axis time{"time", "days since 1850-01-01", {0.5, 1.5}, {{"standard_name", "time"}}};
  const std::int64_t start = ticks_from_date(Calendar::day_360, {1850, 1, 1});
  time.time = TimeCoordinates{"360_day", {start + kTicksPerDay / 2, start + kTicksPerDay * 3 / 2}, {{start, start + kTicksPerDay}, {start + kTicksPerDay, start + 2 * kTicksPerDay}}};
  time.bounds = {{0, 1}, {1, 2}};
  Axis lat{"lat", "degrees_north", {60, 50, 40}, {{"standard_name", "latitude"}}};
  lat.bounds = {{65, 55}, {55, 45}, {45, 35}};
  a.axes = {time, lat, {"lon", "degrees_east", {-20, -10, 0, 10}, {{"standard_name", "longitude"}}}};
  LabelledArray height;
  height.name = "height";
  height.unit = "m";
  height.values = Tensor::full({}, 2.0, DType::f64, kCpu);
  a.auxiliary.push_back(height);
  return a;
}

void check_same(const LabelledArray& a, const LabelledArray& b) {
  CHECK(a.unit == b.unit);
  CHECK(a.attributes.at("standard_name") == b.attributes.at("standard_name"));
  CHECK(b.numbers.at("level") == std::vector<double>{2});
  CHECK(a.values.dtype() == b.values.dtype());
  const auto x = a.values.to_vector(), y = b.values.to_vector();
  REQUIRE(x.size() == y.size());
  for (std::size_t i = 0; i < x.size(); ++i) CHECK((x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]))));
  for (std::size_t k = 0; k < a.axes.size(); ++k) {
    CHECK(a.axes[k].name == b.axes[k].name);
    CHECK(a.axes[k].coordinates == b.axes[k].coordinates);
    CHECK(a.axes[k].bounds == b.axes[k].bounds);
    CHECK(a.axes[k].unit == b.axes[k].unit);
  }
  CHECK(b.axes[0].time->calendar == "360_day");
  CHECK(a.axes[0].time->ticks == b.axes[0].time->ticks);
  CHECK(a.axes[0].time->bounds == b.axes[0].time->bounds);
  REQUIRE(b.auxiliary.size() == 1);
  CHECK(b.auxiliary[0].name == "height");
  CHECK(b.auxiliary[0].values.item() == 2);
}

}  // namespace

TEST_CASE("a labelled array goes to a file and comes back, in every kind", "[climate][writer]") {
  TempFolder folder;
  const LabelledArray a = sample();
  for (const WriteOptions& options : {WriteOptions{.history = "made by a test"}, WriteOptions{.deflate = 4, .history = "again"}, WriteOptions{.classic = true, .history = "classic"}}) {
    write_netcdf(folder / "a.nc", Dataset{{a}, {{"history", "older"}, {"title", "sample"}}, {}}, options);
    const auto file = open_netcdf(folder / "a.nc");
    CHECK(file->header().kind == (options.classic ? "CDF-2" : "NetCDF-4"));
    check_same(a, read_variable(*file, "tas"));
    std::string history, conventions;
    for (const auto& g : file->header().attributes) {
      if (g.name == "history") history = g.text();
      if (g.name == "Conventions") conventions = g.text();
    }
    CHECK(history.find(options.history) != std::string::npos);
    CHECK(history.find("\nolder") != std::string::npos);
    CHECK(conventions.rfind("CF-", 0) == 0);
    CHECK(file->variable("tas").find("_FillValue") != nullptr);
  }
}

TEST_CASE("a dimension that was unlimited may grow in the output, too", "[climate][writer]") {
  TempFolder folder;
  LabelledArray a = sample();
  a.axes[0].attributes["tenon:unlimited"] = "true";
  auto is_unlimited = [](const NetcdfFile& file, const std::string& name) {
    for (const auto& d : file.header().dimensions)
      if (d.name == name) return d.unlimited;
    FAIL("no dimension " << name);
    return false;
  };
  for (const WriteOptions& options : {WriteOptions{}, WriteOptions{.deflate = 1}, WriteOptions{.classic = true}}) {
    CAPTURE(options.classic, options.deflate);
    write_netcdf(folder / "a.nc", a, options);
    auto file = open_netcdf(folder / "a.nc");
    CHECK(is_unlimited(*file, "time"));
    CHECK_FALSE(is_unlimited(*file, "lat"));
    const LabelledArray read = read_variable(*file, "tas");
    check_same(a, read);
    file.reset();
    write_netcdf(folder / "b.nc", read, options);  // and once more, from what was read
    CHECK(is_unlimited(*open_netcdf(folder / "b.nc"), "time"));
    check_same(a, read_netcdf(folder / "b.nc"));
  }

  // Not the first dimension, or the second of two: a classic file has none of these.
  LabelledArray turned = a;
  turned.values = a.values.permute({1, 0, 2}).contiguous();
  std::swap(turned.axes[0], turned.axes[1]);
  write_netcdf(folder / "turned.nc", turned, {.classic = true});
  CHECK_FALSE(is_unlimited(*open_netcdf(folder / "turned.nc"), "time"));
  CHECK(read_netcdf(folder / "turned.nc").values.to_vector().size() == 24);
  write_netcdf(folder / "turned.nc", turned);
  CHECK(is_unlimited(*open_netcdf(folder / "turned.nc"), "time"));
  CHECK(read_netcdf(folder / "turned.nc").axes[1].time->ticks == a.axes[0].time->ticks);

  // Small records lie together: a chunk of one number each would be a file of indices.
  LabelledArray series;
  series.name = "x";
  series.values = Tensor::arange(100000, DType::f64);
  series.axes = {{"record", {}, {}, {{"tenon:unlimited", "true"}}}};
  write_netcdf(folder / "series.nc", series);
  const auto file = open_netcdf(folder / "series.nc");
  CHECK(file->variable("x").chunks == std::vector<std::int64_t>{100000});
  CHECK(read_variable(*file, "x").values.to_vector() == series.values.to_vector());

  // Bounds, coordinates and what belongs to the variable, too.
  LabelledArray timed;
  timed.name = "y";
  Axis time{"time", "hours since 2000-01-01", {}, {{"standard_name", "time"}, {"tenon:unlimited", "true"}}};
  time.time = TimeCoordinates{"standard", {}, {}};
  const std::int64_t start = ticks_from_date(Calendar::standard, {2000, 1, 1}), hour = kTicksPerDay / 24;
  for (std::int64_t i = 0; i < 5000; ++i) {
    time.time->ticks.push_back(start + i * hour);
    time.time->bounds.push_back({start + i * hour, start + (i + 1) * hour});
    time.coordinates.push_back(double(i));
    time.bounds.push_back({double(i), double(i + 1)});
  }
  timed.axes = {time};
  timed.values = Tensor::zeros({5000}, DType::f64);
  write_netcdf(folder / "timed.nc", timed);
  const auto hours = open_netcdf(folder / "timed.nc");
  CHECK(hours->variable("time").chunks == std::vector<std::int64_t>{5000});
  CHECK(hours->variable("time_bnds").chunks == std::vector<std::int64_t>{5000, 2});
}

TEST_CASE("large arrays are written in pieces, between which a stop leaves nothing", "[climate][writer][slow]") {
  TempFolder folder;
  LabelledArray a;
  a.name = "x";
  a.values = Tensor::arange(((2 << 10) + 1) << 12, DType::f64).reshape({(2 << 10) + 1, 1 << 12});  // a row more than two pieces
  a.axes = {{"record", {}, {}, {{"tenon:unlimited", "true"}}}, {"place", {}, {}, {}}};
  for (const bool classic : {false, true}) {
    int pieces = 0;
    WriteOptions options{.classic = classic};
    options.between = [&] { ++pieces; };
    write_netcdf(folder / "a.nc", a, options);
    CHECK(pieces >= 2);
    const auto read = read_netcdf(folder / "a.nc").values;
    CHECK(std::equal(read.data<double>(), read.data<double>() + read.numel(), a.values.data<double>()));
    options.between = [] { throw Error(ErrorKind::usage, "run.interrupted", "enough"); };
    CHECK(error_of([&] { write_netcdf(folder / "b.nc", a, options); }).code() == "run.interrupted");
    CHECK(files().list(folder.path()).size() == 1);
  }
}

TEST_CASE("times that their unit cannot hold are written in a finer one, exactly", "[climate][writer]") {
  TempFolder folder;
  LabelledArray a = sample();
  a.axes[0].time->ticks[1] += 1;
  a.axes[0].time->bounds.clear();
  a.axes[0].bounds.clear();
  write_netcdf(folder / "a.nc", a);
  CHECK(read_netcdf(folder / "a.nc").axes[0].time->ticks == a.axes[0].time->ticks);
}

TEST_CASE("nothing is left where writing fails", "[climate][writer]") {
  TempFolder folder;
  LabelledArray a = sample();
  a.values = a.values.to(DType::i64);
  CHECK(error_of([&] { write_netcdf(folder / "a.nc", a, {.classic = true}); }).code() == "climate.write");
  const Error e = error_of([&] { write_netcdf(folder / "absent" / "a.nc", sample()); });
  CHECK(e.code() == "io.not_found");
  CHECK(e.where().find("absent") != std::string::npos);
  CHECK(e.message().find("no folder") != std::string::npos);
  CHECK(e.hint().find("make the folder") != std::string::npos);
  CHECK(std::filesystem::is_empty(folder.path()));
  int calls = 0;
  {
    FaultyFiles counting(-1);
    write_netcdf(folder / "a.nc", sample());
    calls = counting.calls();
  }
  for (int i = 0; i < calls; ++i) {
    FaultyFiles faulty(i);
    CHECK(error_of([&] { write_netcdf(folder / "a.nc", sample()); }).code() == "io.no_space");
    CHECK(files().list(folder.path()).size() == 1);
  }
}

TEST_CASE("a pipe is not replaced by a file", "[climate][writer]") {
  TempFolder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(error_of([&] { write_netcdf(folder / "pipe", sample()); }).code() == "io.not_a_file");
  CHECK(std::filesystem::is_fifo(folder / "pipe"));
  CHECK(files().list(folder.path()).size() == 1);
}

TEST_CASE("a disk that fills up is told as such, with the path, and nothing is printed", "[climate][writer]") {
  TempFolder folder;
  LabelledArray a;
  a.name = "x";
  std::vector<double> v(1 << 18);
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = std::sin(double(i) * double(i));
  a.values = Tensor::from(v, {1 << 18});
  a.axes = {{"n", {}, {}, {}}};
  for (const bool classic : {false, true}) {
    CAPTURE(classic);
    // A limit on the size of files stands for the full disk: for the writer both are a write that fails.
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    std::fflush(stderr);
    const int saved = ::dup(2);
    std::FILE* caught = std::fopen((folder / "said").c_str(), "w+");
    ::dup2(::fileno(caught), 2);
    rlimit small = before;
    small.rlim_cur = 100'000;
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    std::string code, message, where, hint;
    try {
      write_netcdf(folder / "a.nc", a, {.classic = classic});
    } catch (const Error& e) {
      code = e.code();
      message = e.message();
      where = e.where();
      hint = e.hint();
    }
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    std::fflush(stderr);
    ::dup2(saved, 2);
    ::close(saved);
    std::fclose(caught);
    CHECK(code == "io.no_space");
    CHECK(message.find("a.nc") != std::string::npos);
    CHECK(message.find(".tmp-") == std::string::npos);
    CHECK(where == (folder / "a.nc").string());
    CHECK(hint.find("free some space") != std::string::npos);
    CHECK(std::filesystem::file_size(folder / "said") == 0);
    CHECK_FALSE(std::filesystem::exists(folder / "a.nc"));
    CHECK(files().list(folder.path()).size() == 1);
  }
}
