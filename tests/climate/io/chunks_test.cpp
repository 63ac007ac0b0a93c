/// Boxes of chunked NetCDF-4 variables against what libnetcdf itself reads.
#include <hdf5.h>
#include <netcdf.h>
#include <zlib.h>

#include <array>
#include <cstring>
#include <random>

#include "climate/io/netcdf_file.hpp"
#include "climate/test_data.hpp"
#include "tenon/device.hpp"

using namespace tenon;
using namespace tenon::climate;
using namespace tenon::climate_test;

namespace {

constexpr std::array<std::size_t, 3> kSides = {7, 19, 23}, kChunk = {2, 8, 10};

struct Layout {
  const char* name;
  nc_type type = NC_FLOAT;
  bool shuffle = false, deflate = true, fletcher = false;
  int endian = NC_ENDIAN_NATIVE;
  bool missing = false;  ///< some chunks are never written
  bool no_fill = false;
};

void ok(int status) {
  INFO(nc_strerror(status));
  REQUIRE(status == NC_NOERR);
}

class Nc {
 public:
  explicit Nc(const std::filesystem::path& path, bool create = false) : lock_(netcdf_lock()) {
    if (create) ok(nc_create(path.c_str(), NC_NETCDF4 | NC_CLOBBER, &id));
    else ok(nc_open(path.c_str(), NC_NOWRITE, &id));
  }
  ~Nc() { nc_close(id); }
  int id = -1;

 private:
  std::lock_guard<std::mutex> lock_;
};

/// One variable "v" of whole numbers that any type holds.
void make(const std::filesystem::path& path, const Layout& l) {
  Nc file(path, true);
  std::array<int, 3> dims{};
  const char* names[] = {"time", "lat", "lon"};
  for (std::size_t k = 0; k < 3; ++k) ok(nc_def_dim(file.id, names[k], k == 0 ? NC_UNLIMITED : kSides[k], &dims[k]));
  int v = 0;
  ok(nc_def_var(file.id, "v", l.type, 3, dims.data(), &v));
  ok(nc_def_var_chunking(file.id, v, NC_CHUNKED, kChunk.data()));
  ok(nc_def_var_deflate(file.id, v, l.shuffle, l.deflate, 3));
  if (l.fletcher) ok(nc_def_var_fletcher32(file.id, v, NC_FLETCHER32));
  ok(nc_def_var_endian(file.id, v, l.endian));
  if (l.no_fill) ok(nc_def_var_fill(file.id, v, NC_NOFILL, nullptr));
  ok(nc_enddef(file.id));
  std::vector<int> values(kSides[0] * kSides[1] * kSides[2]);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = int((i * i + i / 7) % 120);
  if (!l.missing) {
    const std::array<std::size_t, 3> zero{};
    ok(nc_put_vara_int(file.id, v, zero.data(), kSides.data(), values.data()));
    return;
  }
  for (std::size_t t : {1, 6}) {  // the first and the last row of chunks, and of these only a corner
    const std::array<std::size_t, 3> at = {t, 0, 0}, n = {1, 9, 11};
    ok(nc_put_vara_int(file.id, v, at.data(), n.data(), values.data()));
  }
}

std::vector<std::byte> by_libnetcdf(const std::filesystem::path& path, const std::string& name, const std::vector<std::int64_t>& start, const std::vector<std::int64_t>& count, std::size_t bytes) {
  Nc file(path);
  int group = file.id, v = 0;
  const std::size_t slash = name.rfind('/');
  if (slash != std::string::npos) ok(nc_inq_grp_full_ncid(file.id, name.substr(0, slash).c_str(), &group));
  ok(nc_inq_varid(group, name.substr(slash + 1).c_str(), &v));
  std::vector<std::byte> out(bytes, std::byte{0xa5});
  const std::vector<std::size_t> from(start.begin(), start.end()), n(count.begin(), count.end());
  ok(nc_get_vara(group, v, from.data(), n.data(), out.data()));
  return out;
}

void check_box(const NetcdfFile& file, const Variable& v, const std::vector<std::int64_t>& start, const std::vector<std::int64_t>& count) {
  std::size_t bytes = size_of(v.type);
  for (auto n : count) bytes *= std::size_t(n);
  std::vector<std::byte> ours(bytes, std::byte{0xa5});  // what was never written stays as it was, with both
  file.read(v, start, count, ours.data());
  CAPTURE(file.path().string(), v.name, start, count);
  CHECK(std::memcmp(ours.data(), by_libnetcdf(file.path(), v.name, start, count, bytes).data(), bytes) == 0);
}

void check_boxes(const std::filesystem::path& path, int boxes, std::uint32_t seed) {
  const auto file = open_netcdf(path);
  std::mt19937 random(seed);
  for (const auto& v : file->header().variables) {
    if (size_of(v.type) == 0) continue;
    const auto shape = file->shape(v);
    if (std::find(shape.begin(), shape.end(), 0) != shape.end()) continue;
    check_box(*file, v, std::vector<std::int64_t>(shape.size(), 0), shape);
    for (int b = 0; b < boxes && !shape.empty(); ++b) {
      std::vector<std::int64_t> start, count;
      for (auto side : shape) {
        start.push_back(std::int64_t(random()) % side);
        count.push_back(1 + std::int64_t(random()) % (side - start.back()));
      }
      check_box(*file, v, start, count);
    }
  }
}

class Threads {
 public:
  explicit Threads(int n) : before_(thread_count()) { set_thread_count(n); }
  ~Threads() { set_thread_count(before_); }

 private:
  int before_;
};

/// A stored chunk written over, past the filters.
void put_chunk(const std::filesystem::path& path, std::array<hsize_t, 3> offset, std::uint32_t mask, const std::vector<std::byte>& bytes) {
  std::lock_guard hold(netcdf_lock());
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), v = H5Dopen2(file, "v", H5P_DEFAULT);
  CHECK(H5Dwrite_chunk(v, H5P_DEFAULT, mask, offset.data(), bytes.size(), bytes.data()) >= 0);
  H5Dclose(v);
  H5Fclose(file);
}

std::vector<std::byte> deflated(std::size_t bytes) {
  const std::vector<Bytef> zeros(bytes, 0);
  uLongf size = compressBound(bytes);
  std::vector<std::byte> out(size);
  REQUIRE(compress2(reinterpret_cast<Bytef*>(out.data()), &size, zeros.data(), bytes, 6) == Z_OK);
  out.resize(size);
  return out;
}

constexpr std::size_t kChunkBytes = kChunk[0] * kChunk[1] * kChunk[2] * 4;

}  // namespace

TEST_CASE("boxes of chunked variables are libnetcdf's, whatever the storage", "[climate][netcdf][chunks]") {
  const std::vector<Layout> layouts = {{.name = "deflate"},
                                       {.name = "shuffle, deflate", .shuffle = true},
                                       {.name = "shuffle", .shuffle = true, .deflate = false},
                                       {.name = "fletcher32", .deflate = false, .fletcher = true},
                                       {.name = "all", .shuffle = true, .fletcher = true},
                                       {.name = "big-endian", .shuffle = true, .endian = NC_ENDIAN_BIG},
                                       {.name = "big-endian, no shuffle", .type = NC_DOUBLE, .endian = NC_ENDIAN_BIG},
                                       {.name = "big-endian, all", .type = NC_SHORT, .shuffle = true, .fletcher = true, .endian = NC_ENDIAN_BIG},
                                       {.name = "double, all", .type = NC_DOUBLE, .shuffle = true, .fletcher = true},
                                       {.name = "bytes", .type = NC_BYTE, .shuffle = true},
                                       {.name = "int64", .type = NC_INT64, .shuffle = true},
                                       {.name = "missing chunks", .shuffle = true, .missing = true},
                                       {.name = "missing chunks, big-endian", .type = NC_INT, .endian = NC_ENDIAN_BIG, .missing = true},
                                       {.name = "no fill", .no_fill = true},
                                       {.name = "no filter", .deflate = false}};
  TempFolder folder;
  for (const auto& l : layouts) {
    CAPTURE(l.name);
    make(folder / "a.nc", l);
    for (int threads : {1, 2}) {
      Threads use(threads);
      check_boxes(folder / "a.nc", 25, std::uint32_t(threads));
    }
  }
}

TEST_CASE("a chunk that was stored without one of the filters is read", "[climate][netcdf][chunks]") {
  TempFolder folder;
  make(folder / "a.nc", {.name = "mask", .shuffle = true});
  std::vector<std::byte> plain(kChunkBytes);
  for (std::size_t i = 0; i < plain.size(); ++i) plain[i] = std::byte(i % 60);
  put_chunk(folder / "a.nc", {0, 8, 10}, 3, plain);
  put_chunk(folder / "a.nc", {2, 0, 0}, 2, plain);                     // shuffled, not deflated
  put_chunk(folder / "a.nc", {2, 8, 0}, 1, deflated(kChunkBytes));     // deflated, not shuffled
  check_boxes(folder / "a.nc", 10, 3);
}

TEST_CASE("a variable called like a dimension that is not its own, in a group too", "[climate][netcdf][chunks]") {
  TempFolder folder;
  {
    Nc file(folder / "a.nc", true);
    int group = 0, x = 0, y = 0, v = 0;
    ok(nc_def_grp(file.id, "forecast", &group));
    for (int where : {file.id, group}) {
      ok(nc_def_dim(where, "x", 30, &x));
      ok(nc_def_dim(where, "y", 20, &y));
      const int dims[] = {y, x};
      const std::size_t chunk[] = {7, 30};
      ok(nc_def_var(where, "x", NC_INT, 2, dims, &v));
      ok(nc_def_var_chunking(where, v, NC_CHUNKED, chunk));
      ok(nc_def_var_deflate(where, v, 1, 1, 1));
      std::vector<int> values(600, where == group ? 5 : 4);
      ok(nc_put_var_int(where, v, values.data()));
    }
  }
  check_boxes(folder / "a.nc", 5, 4);
}

TEST_CASE("an unlimited dimension that another variable made longer", "[climate][netcdf][chunks]") {
  TempFolder folder;
  make(folder / "a.nc", {.name = "short", .shuffle = true});
  {
    std::lock_guard hold(netcdf_lock());
    int id = 0, time = 0, w = 0;
    ok(nc_open((folder / "a.nc").c_str(), NC_WRITE, &id));
    ok(nc_inq_dimid(id, "time", &time));
    ok(nc_def_var(id, "w", NC_INT, 1, &time, &w));
    const std::size_t at = 11;
    const int value = 1;
    ok(nc_put_var1_int(id, w, &at, &value));
    ok(nc_close(id));
  }
  check_boxes(folder / "a.nc", 10, 5);
}

TEST_CASE("a damaged chunk is an error that names it, and the others are read", "[climate][netcdf][chunks]") {
  TempFolder folder;
  struct Damage {
    std::vector<std::byte> bytes;
    const char* reason;
  };
  std::vector<std::byte> cut = deflated(kChunkBytes);
  cut.resize(cut.size() - 6);
  for (const auto& [bytes, reason] : {Damage{std::vector<std::byte>(300, std::byte{0x78}), "damaged"}, Damage{cut, "damaged"}, Damage{deflated(kChunkBytes - 4), "inflates to 636 bytes, 640 are wanted"},
                                      Damage{deflated(kChunkBytes + 4), "more than 640 bytes"}}) {
    make(folder / "a.nc", {.name = "damage", .shuffle = true});
    put_chunk(folder / "a.nc", {2, 8, 10}, 0, bytes);
    put_chunk(folder / "a.nc", {4, 0, 0}, 0, bytes);  // a later one too: the first is named
    for (int threads : {1, 2}) {
      Threads use(threads);
      const auto file = open_netcdf(folder / "a.nc");
      const Variable& v = file->variable("v");
      std::vector<float> out(7 * 19 * 23);
      const Error e = error_of([&] { file->read(v, std::vector<std::int64_t>{0, 0, 0}, file->shape(v), out.data()); });
      CHECK(e.code() == "climate.chunk");
      CAPTURE(e.message());
      CHECK(e.message().find("variable 'v', chunk 13 (time 2 to 3, lat 8 to 15, lon 10 to 19) cannot be read: ") == 0);
      CHECK(e.message().find(reason) != std::string::npos);
      CHECK(e.where().find("a.nc") != std::string::npos);
      check_box(*file, v, {0, 0, 0}, {2, 19, 23});
      check_box(*file, v, {2, 0, 0}, {2, 8, 23});
    }
  }
  make(folder / "a.nc", {.name = "checksum", .deflate = false, .fletcher = true});
  put_chunk(folder / "a.nc", {0, 0, 0}, 0, std::vector<std::byte>(kChunkBytes + 4, std::byte{1}));
  const auto file = open_netcdf(folder / "a.nc");
  float x = 0;
  CHECK(error_of([&] { file->read(file->variable("v"), std::vector<std::int64_t>{0, 0, 0}, std::vector<std::int64_t>{1, 1, 1}, &x); }).message().find("checksum") != std::string::npos);
}

TEST_CASE("boxes of the shared files are libnetcdf's", "[climate][netcdf][chunks][slow]") {
  TENON_NEEDS_CLIMATE_DATA(data);
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(data)) {
    if (entry.path().extension() != ".nc" || entry.path().string().find("malformed") != std::string::npos) continue;
    if (open_netcdf(entry.path())->header().kind != "NetCDF-4") continue;
    ++files;
    for (int threads : {1, 2}) {
      Threads use(threads);
      check_boxes(entry.path(), 3, std::uint32_t(threads));
    }
  }
  CHECK(files > 20);
}
