#include "climate/io/netcdf_file.hpp"

#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>

#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/utf8.hpp"
#include "tenon/params.hpp"

namespace tenon::climate {
namespace {

constexpr std::array<unsigned char, 8> kHdf5 = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};

bool starts_with(std::span<const std::byte> head, std::string_view what) {
  return head.size() >= what.size() && std::memcmp(head.data(), what.data(), what.size()) == 0;
}

bool is_hdf5(std::span<const std::byte> head) { return head.size() >= kHdf5.size() && std::memcmp(head.data(), kHdf5.data(), kHdf5.size()) == 0; }

/// What a file that is no NetCDF seems to be.
std::string seems(std::span<const std::byte> head) {
  if (head.empty()) return "the file is empty";
  if (starts_with(head, "\x1f\x8b")) return "the file is packed with gzip";
  if (starts_with(head, "BZh")) return "the file is packed with bzip2";
  if (starts_with(head, "PK\x03\x04")) return "the file is a ZIP archive";
  if (starts_with(head, "GRIB")) return "the file is GRIB";
  if (starts_with(head, "CDF")) return fmt::format("the file says CDF version {}; versions 1, 2 and 5 are read", head.size() > 3 ? int(head[3]) : 0);
  std::string text;
  bool printable = true;
  for (std::byte b : head.first(std::min<std::size_t>(head.size(), 40))) {
    const char c = char(b);
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\r' && c != '\t') printable = false;
    text += c == '\n' || c == '\r' || c == '\t' ? ' ' : c;
  }
  if (!printable || !is_utf8(text)) {
    std::string hex;
    for (std::byte b : head.first(std::min<std::size_t>(head.size(), 8))) hex += fmt::format("{:02x} ", int(b));
    return "its first bytes are " + hex.substr(0, hex.size() - 1);
  }
  std::string low = text;
  std::transform(low.begin(), low.end(), low.begin(), [](unsigned char c) { return char(std::tolower(c)); });
  if (low.find("<html") != std::string::npos || low.find("<!doctype") != std::string::npos) return "it is an HTML page, as a failed download leaves it: \"" + text + "\"";
  return "it is text: \"" + text + "\"";
}

}  // namespace

NetcdfFile::~NetcdfFile() = default;

std::size_t size_of(NcType type) noexcept {
  static constexpr std::array<std::uint8_t, 14> kSizes = {0, 1, 1, 2, 4, 4, 8, 1, 2, 4, 8, 8, 0, 0};
  return kSizes[std::size_t(type)];
}

std::string_view name_of(NcType type) noexcept {
  static constexpr std::array<std::string_view, 14> kNames = {"",       "int8",   "char",   "int16",  "int32",  "float32", "float64",
                                                              "uint8", "uint16", "uint32", "int64", "uint64", "string",  "unsupported"};
  return kNames[std::size_t(type)];
}

std::string Attribute::text() const {
  std::string out;
  for (const auto& t : texts) out += (out.empty() ? "" : "\n") + t;
  while (!out.empty() && (out.back() == '\0' || out.back() == ' ')) out.pop_back();
  return out;
}

const Attribute* Variable::find(std::string_view attribute) const noexcept {
  for (const auto& a : attributes)
    if (a.name == attribute) return &a;
  return nullptr;
}

std::string Variable::text(std::string_view attribute) const {
  const Attribute* a = find(attribute);
  return a && a->is_text() ? a->text() : std::string();
}

const Variable* NetcdfFile::find(std::string_view name) const noexcept {
  for (const auto& v : header_.variables)
    if (v.name == name) return &v;
  return nullptr;
}

const Variable& NetcdfFile::variable(const std::string& name) const {
  if (const Variable* v = find(name)) return *v;
  if (name.size() > 1 && name[0] == '/') return variable(name.substr(1));  // from the root, as CF and ncdump write it
  std::vector<const Variable*> same;
  std::vector<std::string> names;
  for (const auto& v : header_.variables) {
    names.push_back(v.name);
    if (v.name.substr(v.name.rfind('/') + 1) == name) same.push_back(&v);
  }
  if (same.size() == 1) return *same[0];
  throw Error(ErrorKind::data, "climate.no_variable", fmt::format("there is no variable '{}'", name), suggestion(name, names), path_.string());
}

std::vector<std::int64_t> NetcdfFile::shape(const Variable& variable) const {
  std::vector<std::int64_t> out;
  for (std::size_t d : variable.dimensions) out.push_back(header_.dimensions[d].size);
  return out;
}

void NetcdfFile::require_numbers(const Variable& v) const {
  if (size_of(v.type) > 0) return;
  throw Error(ErrorKind::data, "climate.type", fmt::format("variable '{}' is of type {}, which has no values to compute with", v.name, v.type_name.empty() ? std::string(name_of(v.type)) : v.type_name),
              "ask for another variable; `tenon climate info` lists them", path_.string());
}

std::vector<std::string> NetcdfFile::texts_of_characters(const Variable& v) const {
  const auto size = shape(v);
  std::int64_t total = 1;
  for (auto s : size) total *= s;
  std::string all(std::size_t(total), '\0');
  read(v, std::vector<std::int64_t>(size.size(), 0), size, all.data());
  const std::size_t length = size.empty() ? 1 : std::size_t(size.back());
  std::vector<std::string> out;
  for (std::size_t at = 0; length && at < all.size(); at += length) {
    std::string one = all.substr(at, length);
    one = one.substr(0, one.find('\0'));
    while (!one.empty() && one.back() == ' ') one.pop_back();
    out.push_back(one);
  }
  return out;
}

std::mutex& netcdf_lock() {
  static std::mutex lock;
  // Before anything of HDF5 is called: at the end of the process it would flush what a full disk did not take, and crash. Files are closed one by one.
  static const bool once = (H5dont_atexit(), true);
  (void)once;
  return lock;
}

void require_name(std::string_view name, std::string_view what, const std::string& where) {
  std::string wrong;
  if (name.empty()) wrong = "is empty";
  else if (!is_utf8(name)) wrong = "is not UTF-8";
  for (unsigned char c : name) {
    if (c == '/') wrong = "holds a \"/\"";
    if (c == 0) wrong = "holds a NUL";
    else if (c < 0x20 || c == 0x7f) wrong = "holds a control character";
  }
  if (wrong.empty()) return;
  std::string hex;
  for (unsigned char c : name.substr(0, 40)) hex += fmt::format("{:02x} ", c);
  throw Error(ErrorKind::data, "climate.name", fmt::format("the name of {} {}: bytes {}{}", what, wrong, hex, where), "write the file again with a valid name");
}

bool is_netcdf(std::span<const std::byte> head) noexcept {
  if (is_hdf5(head)) return true;
  return head.size() >= 4 && std::memcmp(head.data(), "CDF", 3) == 0 && (head[3] == std::byte{1} || head[3] == std::byte{2} || head[3] == std::byte{5});
}

std::unique_ptr<NetcdfFile> open_netcdf(const std::filesystem::path& path, const OpenOptions& options) {
  auto file = files().open_read(path);
  std::vector<std::byte> head(512);
  head.resize(file->read_at(0, head.data(), head.size()));
  const std::uint64_t size = file->size();
  try {
    if (is_hdf5(head)) return open_netcdf4(path);
    // HDF5 may begin after a block of the user's, at 512 and doubled from there.
    for (std::uint64_t at = 512; at + kHdf5.size() <= size && at <= (1u << 20); at *= 2) {
      std::array<std::byte, 8> mark{};
      if (file->read_at(at, mark.data(), mark.size()) == mark.size() && is_hdf5(mark)) return open_netcdf4(path);
    }
    if (is_netcdf(head)) return open_classic(path, options);
    throw Error(ErrorKind::data, "climate.not_netcdf", fmt::format("this is no NetCDF file: {}", seems(head)), "give a NetCDF file (CDF-1, -2, -5 or NetCDF-4), unpacked");
  } catch (const Error& e) {
    throw e.at(path.string());
  }
}

}  // namespace tenon::climate
