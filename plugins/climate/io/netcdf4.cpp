/// NetCDF-4 through libnetcdf's C interface: netCDF-C++4 reads attributes without looking at their type first (a VLEN attribute overflows the
/// heap, a string one throws) and its destructor swallows errors.
#include <fmt/format.h>
#include <hdf5.h>
#include <netcdf.h>
#include <netcdf_filter.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <optional>

#include "climate/io/chunks.hpp"
#include "climate/io/netcdf_file.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

namespace tenon::climate {
namespace {

/// What is read of an attribute; more is refused before memory is taken.
constexpr std::size_t kMostAttributeValues = std::size_t(1) << 26;

void ok(int status, const std::string& what) {
  if (status == NC_NOERR) return;
  const char* code = status == NC_EHDFERR || status == NC_EATTMETA || status == NC_EVARMETA || status == NC_EDIMMETA ? "climate.hdf5" : "climate.netcdf";
  throw Error(ErrorKind::data, code, fmt::format("{}: {}", what, nc_strerror(status)), "copy or download the file again; `h5dump -H` shows what HDF5 makes of it");
}

class Handle {
 public:
  explicit Handle(const std::filesystem::path& path) {
    // An absolute path is never taken for a URL, whatever the name holds.
    ok(nc_open(std::filesystem::absolute(path).c_str(), NC_NOWRITE, &id_), "HDF5 cannot open the file");
  }
  ~Handle() {
    std::lock_guard hold(netcdf_lock());
    nc_close(id_);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  int id() const noexcept { return id_; }

 private:
  int id_ = -1;
};

std::uint64_t little_endian(const std::byte* p) {
  std::uint64_t v = 0;
  for (int i = 7; i >= 0; --i) v = v << 8 | std::uint64_t(p[i]);
  return v;
}

/// The superblock states where the file ends: a file that is shorter was cut.
void require_whole(const std::filesystem::path& path) {
  auto file = files().open_read(path);
  const std::uint64_t size = file->size();
  std::array<std::byte, 96> b{};
  if (file->read_at(0, b.data(), b.size()) < 48) {
    throw Error(ErrorKind::data, "climate.truncated", fmt::format("the file has the signature of HDF5 and ends at byte {}, inside its superblock", size), "copy or download the file again");
  }
  if (b[0] != std::byte{0x89}) return;  // a user's block comes first: HDF5 checks
  const int version = int(b[8]);
  const bool old = version == 0;
  if ((!old && version != 2 && version != 3) || int(b[old ? 13 : 9]) != 8) return;
  const std::uint64_t end = little_endian(b.data() + (old ? 40 : 28));
  if (end != ~std::uint64_t(0) && size < end) {
    throw Error(ErrorKind::data, "climate.truncated", fmt::format("the file should have {} bytes and has {}: it was cut", end, size), "copy or download the file again");
  }
}

class Netcdf4File final : public NetcdfFile {
 public:
  Netcdf4File(const std::filesystem::path& path, std::shared_ptr<Handle> handle) : NetcdfFile(path, {}), handle_(std::move(handle)), chunks_(path) {
    header_.kind = "NetCDF-4";
    groups(handle_->id(), "", 0);
  }

  void read(const Variable& v, std::span<const std::int64_t> start, std::span<const std::int64_t> count, void* out) const override {
    require_numbers(v);
    const auto& where = where_[std::size_t(&v - header_.variables.data())];
    std::vector<std::size_t> from(start.begin(), start.end()), n(count.begin(), count.end());
    if (std::find(count.begin(), count.end(), 0) != count.end()) return;
    if (chunks_.read(header_, v, start, count, out)) return;
    int status;
    {
      std::lock_guard hold(netcdf_lock());
      status = nc_get_vara(where.first, where.second, from.data(), n.data(), out);
    }
    if (status == NC_NOERR) return;
    if (const auto filter = missing_filter(where))
      throw Error(ErrorKind::data, "climate.filter", fmt::format("variable '{}' is compressed by HDF5's filter {}, which this machine does not have", v.name, *filter),
                  "install its plugin and name its folder in HDF5_PLUGIN_PATH, or have the file written with deflate", path_.string());
    const std::string chunk = broken_chunk(v, where, start, count);
    throw Error(ErrorKind::data, "climate.chunk", fmt::format("variable '{}'{} cannot be read: {}", v.name, chunk, nc_strerror(status)), "copy or download the file again", path_.string());
  }

  std::vector<std::string> read_texts(const Variable& v) const override {
    if (v.type == NcType::character) return texts_of_characters(v);
    if (v.type != NcType::string) throw Error(ErrorKind::data, "climate.type", "variable '" + v.name + "' holds no text", {}, path_.string());
    const auto& where = where_[std::size_t(&v - header_.variables.data())];
    std::size_t n = 1;
    for (auto s : shape(v)) n *= std::size_t(s);
    std::vector<char*> raw(n, nullptr);
    std::lock_guard hold(netcdf_lock());
    if (n) ok(nc_get_var_string(where.first, where.second, raw.data()), "variable '" + v.name + "'");
    std::vector<std::string> out;
    for (char* s : raw) out.emplace_back(s ? s : "");
    if (n) nc_free_string(n, raw.data());
    return out;
  }

 private:
  void groups(int id, const std::string& prefix, int depth) {
    if (depth > 32) throw Error(ErrorKind::data, "climate.header", "groups lie more than 32 deep", "write the file again with fewer");
    dimensions(id, prefix);
    int n = 0;
    ok(nc_inq_nvars(id, &n), "the list of variables");
    for (int i = 0; i < n; ++i) variable_of(id, i, prefix);
    int natts = 0;
    ok(nc_inq_natts(id, &natts), "the list of attributes");
    for (int i = 0; i < natts; ++i) {
      Attribute a = attribute(id, NC_GLOBAL, i);
      a.name = prefix + a.name;
      header_.attributes.push_back(std::move(a));
    }
    int children = 0;
    ok(nc_inq_grps(id, &children, nullptr), "the list of groups");
    std::vector<int> ids(std::size_t(children), 0);
    if (children) ok(nc_inq_grps(id, &children, ids.data()), "the list of groups");
    for (int child : ids) {
      char name[NC_MAX_NAME + 1] = {};
      ok(nc_inq_grpname(child, name), "the name of a group");
      groups(child, prefix + name + "/", depth + 1);
    }
  }

  void dimensions(int id, const std::string& prefix) {
    int n = 0;
    ok(nc_inq_dimids(id, &n, nullptr, 0), "the list of dimensions");
    std::vector<int> ids(std::size_t(n), 0);
    if (n) ok(nc_inq_dimids(id, &n, ids.data(), 0), "the list of dimensions");
    int unlimited = 0;
    ok(nc_inq_unlimdims(id, &unlimited, nullptr), "the list of unlimited dimensions");
    std::vector<int> open(std::size_t(unlimited), 0);
    if (unlimited) ok(nc_inq_unlimdims(id, &unlimited, open.data()), "the list of unlimited dimensions");
    for (int d : ids) {
      char name[NC_MAX_NAME + 1] = {};
      std::size_t size = 0;
      ok(nc_inq_dim(id, d, name, &size), "a dimension");
      dimension_[d] = header_.dimensions.size();
      header_.dimensions.push_back({prefix + name, std::int64_t(size), std::find(open.begin(), open.end(), d) != open.end()});
    }
  }

  void variable_of(int group, int id, const std::string& prefix) {
    char name[NC_MAX_NAME + 1] = {};
    nc_type type = 0;
    int rank = 0, attributes = 0;
    ok(nc_inq_var(group, id, name, &type, &rank, nullptr, &attributes), "a variable");
    std::vector<int> ids(std::size_t(rank), 0);
    ok(nc_inq_vardimid(group, id, ids.data()), "the dimensions of a variable");
    Variable v;
    v.name = prefix + name;
    for (int d : ids) v.dimensions.push_back(dimension_.at(d));
    v.type = type_of(group, type, &v);
    for (int a = 0; a < attributes; ++a) v.attributes.push_back(attribute(group, id, a));
    int storage = NC_CONTIGUOUS;
    std::vector<std::size_t> chunks(std::size_t(rank), 0);
    if (rank && nc_inq_var_chunking(group, id, &storage, chunks.data()) == NC_NOERR && storage == NC_CHUNKED) v.chunks.assign(chunks.begin(), chunks.end());
    header_.variables.push_back(std::move(v));
    where_.emplace_back(group, id);
  }

  /// Enums are read as the whole numbers they are.
  static NcType type_of(int group, nc_type type, Variable* v) {
    if (type >= NC_BYTE && type <= NC_STRING) return NcType(type);
    char name[NC_MAX_NAME + 1] = {};
    std::size_t size = 0, members = 0;
    nc_type base = 0;
    int kind = 0;
    ok(nc_inq_user_type(group, type, name, &size, &base, &members, &kind), "a user-defined type");
    const char* kinds = kind == NC_ENUM ? "enum" : kind == NC_VLEN ? "VLEN" : kind == NC_COMPOUND ? "compound" : "opaque";
    if (v) v->type_name = fmt::format("{} {}", kinds, name);
    if (kind != NC_ENUM || base < NC_BYTE || base > NC_UINT64) return NcType::unsupported;
    for (std::size_t m = 0; v && m < members; ++m) {
      char member[NC_MAX_NAME + 1] = {};
      std::int64_t value = 0;
      ok(nc_inq_enum_member(group, type, int(m), member, &value), "a member of an enum");
      v->members.emplace_back(member, integer(&value, NcType(base), 0));
    }
    return NcType(base);
  }

  static std::int64_t integer(const void* raw, NcType type, std::size_t i) {
    switch (type) {
      case NcType::byte: return static_cast<const std::int8_t*>(raw)[i];
      case NcType::uint8: return static_cast<const std::uint8_t*>(raw)[i];
      case NcType::int16: return static_cast<const std::int16_t*>(raw)[i];
      case NcType::uint16: return static_cast<const std::uint16_t*>(raw)[i];
      case NcType::int32: return static_cast<const std::int32_t*>(raw)[i];
      case NcType::uint32: return static_cast<const std::uint32_t*>(raw)[i];
      default: return static_cast<const std::int64_t*>(raw)[i];
    }
  }

  /// The type first: each kind is read by the call made for it.
  static Attribute attribute(int group, int id, int number) {
    char name[NC_MAX_NAME + 1] = {};
    nc_type type = 0;
    std::size_t n = 0;
    ok(nc_inq_attname(group, id, number, name), "the name of an attribute");
    const std::string what = fmt::format("attribute '{}'", name);
    ok(nc_inq_att(group, id, name, &type, &n), what);
    if (n > kMostAttributeValues) throw Error(ErrorKind::data, "climate.header", fmt::format("{} has {} values", what, n), "copy or download the file again");
    Attribute a;
    a.name = name;
    Variable enumeration;
    a.type = type_of(group, type, &enumeration);
    a.type_name = enumeration.type_name;
    if (a.type == NcType::character) {
      std::string text(n, '\0');
      if (n) ok(nc_get_att_text(group, id, name, text.data()), what);
      a.texts.push_back(std::move(text));
    } else if (a.type == NcType::string) {
      std::vector<char*> raw(n, nullptr);
      if (n) ok(nc_get_att_string(group, id, name, raw.data()), what);
      for (char* s : raw) a.texts.emplace_back(s ? s : "");
      if (n) nc_free_string(n, raw.data());
    } else if (a.type != NcType::unsupported && n) {
      std::vector<std::int64_t> raw(n, 0);  // wide enough for every type
      ok(nc_get_att(group, id, name, raw.data()), what);
      for (std::size_t i = 0; i < n; ++i) {
        if (a.type == NcType::float32) {
          a.numbers.push_back(double(reinterpret_cast<const float*>(raw.data())[i]));
        } else if (a.type == NcType::float64) {
          a.numbers.push_back(reinterpret_cast<const double*>(raw.data())[i]);
        } else {
          a.integers.push_back(integer(raw.data(), a.type, i));
          a.numbers.push_back(a.type == NcType::uint64 ? double(std::uint64_t(a.integers.back())) : double(a.integers.back()));
        }
      }
    }
    return a;
  }

  /// A filter of the variable that HDF5 has no plugin for: "32000 (lzf)".
  std::optional<std::string> missing_filter(std::pair<int, int> where) const {
    std::lock_guard hold(netcdf_lock());
    std::size_t n = 0;
    if (nc_inq_var_filter_ids(where.first, where.second, &n, nullptr) != NC_NOERR || n == 0) return {};
    std::vector<unsigned> ids(n);
    if (nc_inq_var_filter_ids(where.first, where.second, &n, ids.data()) != NC_NOERR) return {};
    static const std::map<unsigned, const char*> kNames{{307, "bzip2"}, {32000, "lzf"}, {32001, "blosc"}, {32004, "lz4"}, {32008, "bitshuffle"}, {32013, "zfp"}, {32015, "zstandard"}};
    for (unsigned id : ids) {
      if (H5Zfilter_avail(H5Z_filter_t(id)) > 0) continue;
      const auto name = kNames.find(id);
      return std::to_string(id) + (name == kNames.end() ? std::string() : std::string(" (") + name->second + ")");
    }
    return {};
  }

  /// The first chunk of the box that HDF5 cannot read, after a comma.
  std::string broken_chunk(const Variable& v, std::pair<int, int> where, std::span<const std::int64_t> start, std::span<const std::int64_t> count) const {
    if (v.chunks.empty()) return {};
    const auto size = shape(v);
    const std::size_t rank = size.size();
    std::vector<std::size_t> at(rank), from(rank), n(rank);
    for (std::size_t k = 0; k < rank; ++k) at[k] = std::size_t(start[k] / v.chunks[k]);
    std::vector<std::byte> scratch;
    std::lock_guard hold(netcdf_lock());
    while (true) {
      std::size_t values = 1;
      for (std::size_t k = 0; k < rank; ++k) {
        from[k] = at[k] * std::size_t(v.chunks[k]);
        n[k] = std::min(std::size_t(v.chunks[k]), std::size_t(size[k]) - from[k]);
        values *= n[k];
      }
      scratch.resize(values * size_of(v.type));
      if (nc_get_vara(where.first, where.second, from.data(), n.data(), scratch.data()) != NC_NOERR) {
        return ", " + chunk_text(header_, v, std::vector<std::int64_t>(at.begin(), at.end()));
      }
      std::size_t k = rank;
      while (k > 0 && ++at[k - 1] * std::size_t(v.chunks[k - 1]) >= std::size_t(start[k - 1] + count[k - 1])) {
        at[k - 1] = std::size_t(start[k - 1] / v.chunks[k - 1]);
        --k;
      }
      if (k == 0) return {};
    }
  }

  std::shared_ptr<Handle> handle_;
  mutable ChunkReader chunks_;
  std::map<int, std::size_t> dimension_;       ///< libnetcdf's numbers of dimensions, one set for the whole file
  std::vector<std::pair<int, int>> where_;     ///< group and number of each variable
};

}  // namespace

std::unique_ptr<NetcdfFile> open_netcdf4(const std::filesystem::path& path) {
  require_whole(path);
  std::unique_lock hold(netcdf_lock());
  std::shared_ptr<Handle> handle;  // held here too: it outlives the lock when the file's constructor throws
  try {
    handle = std::make_shared<Handle>(path);
    return std::make_unique<Netcdf4File>(path, handle);
  } catch (...) {
    hold.unlock();  // Handle's destructor takes the lock
    throw;
  }
}

}  // namespace tenon::climate
