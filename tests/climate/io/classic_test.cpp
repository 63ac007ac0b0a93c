#include "climate/io/classic.hpp"

#include <cmath>

#include "climate/io/dataset.hpp"
#include "climate/io/writer.hpp"
#include "climate/test_data.hpp"
#include "tenon/io/file.hpp"

using namespace tenon;
using namespace tenon::climate;
using namespace tenon::climate_test;

namespace {

/// A small CDF-2 file with a time axis, written by libnetcdf.
std::vector<std::byte> small_file(const TempFolder& folder) {
  LabelledArray a;
  a.name = "tas";
  a.unit = "K";
  a.values = Tensor::arange(2 * 3 * 4, DType::f32).reshape({2, 3, 4});
  Axis time{"time", "days since 2000-01-01", {0, 1}, {}};
  time.time = TimeCoordinates{"noleap", {ticks_from_date(Calendar::noleap, {2000, 1, 1}), ticks_from_date(Calendar::noleap, {2000, 1, 2})}};
  a.axes = {time, {"lat", "degrees_north", {-10, 0, 10}, {}}, {"lon", "degrees_east", {0, 90, 180, 270}, {}}};
  write_netcdf(folder / "small.nc", a, {.classic = true});
  return read_file(folder / "small.nc");
}

/// Without the sync of an atomic write: thousands of files are made here.
void write_plain(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
}

}  // namespace

TEST_CASE("a classic file cut at any byte is refused, never zeros", "[climate][classic]") {
  TempFolder folder;
  const auto whole = small_file(folder);
  const auto values = read_netcdf(folder / "small.nc").values.to_vector();
  for (std::size_t i = 0; i < values.size(); ++i) REQUIRE(values[i] == double(i));
  for (std::size_t n = 0; n < whole.size(); ++n) {
    write_plain(folder / "cut.nc", std::span(whole).first(n));
    const Error e = error_of([&] { open_netcdf(folder / "cut.nc"); });
    CAPTURE(n, e.what());
    REQUIRE(e.kind() == ErrorKind::data);
    // A count that the rest of the file cannot hold may be a wrong count as well: climate.header.
    REQUIRE((e.code() == "climate.truncated" || e.code() == "climate.not_netcdf" || e.code() == "climate.header"));
    REQUIRE(e.where().find("cut.nc") != std::string::npos);
  }
}

TEST_CASE("a classic header with any byte changed is read or refused, with bounded memory and no crash", "[climate][classic]") {
  TempFolder folder;
  const auto whole = small_file(folder);
  int refused = 0, read = 0;
  for (std::size_t at = 0; at + 96 < whole.size(); ++at) {
    for (unsigned change : {0x01u, 0xffu}) {
      auto bytes = whole;
      bytes[at] ^= std::byte(change);
      write_plain(folder / "odd.nc", bytes);
      try {
        const auto file = open_netcdf(folder / "odd.nc");
        for (const auto& v : file->header().variables) {
          std::int64_t n = 1;
          for (auto s : file->shape(v)) n *= s;
          REQUIRE(n * std::int64_t(size_of(v.type)) <= std::int64_t(whole.size()));
        }
        for (const auto& name : data_variables(*file)) read_variable(*file, name);
        ++read;
      } catch (const Error& e) {
        REQUIRE(e.kind() == ErrorKind::data);
        ++refused;
      }
    }
  }
  CHECK(refused > 0);
  CHECK(read > 0);
}

TEST_CASE("boxes of a classic file are what the whole holds there", "[climate][classic]") {
  TempFolder folder;
  small_file(folder);
  const auto file = open_netcdf(folder / "small.nc");
  const Variable& v = file->variable("tas");
  float box[4] = {};
  file->read(v, std::vector<std::int64_t>{1, 1, 2}, std::vector<std::int64_t>{1, 2, 2}, box);
  CHECK(box[0] == 18);
  CHECK(box[1] == 19);
  CHECK(box[2] == 22);
  CHECK(box[3] == 23);
  CHECK(error_of([&] { file->read(v, std::vector<std::int64_t>{2, 0, 0}, std::vector<std::int64_t>{1, 1, 1}, box); }).kind() == ErrorKind::usage);
  CHECK(error_of([&] { file->variable("tsa"); }).hint().find("tas") != std::string::npos);
}
