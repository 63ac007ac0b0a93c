#include "medical/io/nrrd.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "medical/io/element.hpp"
#include "medical/io/gzip.hpp"
#include "medical/io/itk_image.hpp"
#include "medical/io/text_header.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

namespace tenon::medical {
namespace {

constexpr std::size_t kMostHeaderBytes = 1 << 16;

[[noreturn]] void fail(const std::string& what) {
  throw Error(ErrorKind::data, "nrrd.header", what, "write it again as a scalar NRRD with attached raw or gzip data");
}

std::size_t element_bytes(const std::string& type) {
  static const std::map<std::string, std::size_t> kTypes = {
      {"signed char", 1}, {"int8", 1}, {"int8_t", 1}, {"uchar", 1}, {"unsigned char", 1}, {"uint8", 1}, {"uint8_t", 1},
      {"short", 2}, {"short int", 2}, {"signed short", 2}, {"signed short int", 2}, {"int16", 2}, {"int16_t", 2},
      {"ushort", 2}, {"unsigned short", 2}, {"unsigned short int", 2}, {"uint16", 2}, {"uint16_t", 2},
      {"int", 4}, {"signed int", 4}, {"int32", 4}, {"int32_t", 4}, {"uint", 4}, {"unsigned int", 4}, {"uint32", 4}, {"uint32_t", 4},
      {"longlong", 8}, {"long long", 8}, {"long long int", 8}, {"signed long long", 8}, {"signed long long int", 8}, {"int64", 8}, {"int64_t", 8},
      {"ulonglong", 8}, {"unsigned long long", 8}, {"unsigned long long int", 8}, {"uint64", 8}, {"uint64_t", 8}, {"float", 4}, {"double", 8}};
  auto found = kTypes.find(type);
  if (found == kTypes.end()) fail("type '" + type + "' is not read");
  return found->second;
}

/// The field that `name` stands for, in the spelling used here; nothing where Teem knows none. Teem drops case, and takes
/// names of two words without their space.
std::optional<std::string> field_of(const std::string& name) {
  static constexpr std::string_view kFields[] = {
      "content", "number", "type", "block size", "dimension", "space", "space dimension", "sizes", "spacings", "thicknesses", "axis mins", "axis maxs",
      "space directions", "centers", "centerings", "kinds", "labels", "units", "min", "max", "old min", "old max", "endian", "encoding", "line skip", "byte skip",
      "sample units", "space units", "space origin", "measurement frame", "data file"};
  std::string wanted = lower(name);
  for (std::string_view known : kFields) {
    std::string joined(known);
    std::erase(joined, ' ');
    if (wanted == known || wanted == joined) return std::string(known);
  }
  return {};
}

using Fields = std::map<std::string, std::string>;

/// As Teem does: whichever of ": " and ":=" comes first says whether the line is a field or a key with its value.
void parse_line(const std::string& line, Fields& fields) {
  std::size_t colon = line.find(": ");
  if (line.find(":=") < colon) return;
  auto field = colon == std::string::npos ? std::nullopt : field_of(line.substr(0, colon));
  if (!field) fail("header line '" + line.substr(0, 60) + "' is no field");
  if (!fields.emplace(*field, trimmed(line.substr(colon + 2))).second) fail("field '" + *field + "' stands twice");
}

void check(std::span<const std::byte> file) {
  std::string_view text(reinterpret_cast<const char*>(file.data()), std::min(file.size(), kMostHeaderBytes));
  Fields fields;
  std::size_t at = 0;
  bool ended = false;
  for (bool first = true; at < text.size(); first = false) {
    std::size_t end = text.find('\n', at);
    if (end == std::string_view::npos) break;
    std::string line(text.substr(at, end - at));
    at = end + 1;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) {
      ended = true;
      break;
    }
    require_printable(line, "nrrd.header");
    if (!first && line[0] != '#') parse_line(line, fields);
  }
  if (!ended) {
    throw Error(ErrorKind::data, "nrrd.truncated", fmt::format("the header does not end within {} bytes", text.size()), "copy or download the file again");
  }
  for (const char* name : {"data file", "line skip", "byte skip"}) {
    if (fields.count(name)) fail(std::string("field '") + name + "': data outside the file or at an offset is not read");
  }
  // Teem reads digits alone: 1 where 1e1 is meant.
  if (fields["sizes"].find_first_not_of("0123456789 \t") != std::string::npos) fail("sizes '" + fields["sizes"] + "' are no whole numbers");
  auto sizes = numbers_of(fields["sizes"]);
  auto rank = numbers_of(fields["dimension"]);
  if (rank.size() != 1 || (rank[0] != 2 && rank[0] != 3)) fail("dimension '" + fields["dimension"] + "' is not 2 or 3");
  std::uint64_t voxels = checked_product(sizes, std::size_t(rank[0]), "sizes", "nrrd.header");
  std::uint64_t expected = voxels * element_bytes(lower(fields["type"]));
  for (const char* name : {"space directions", "space origin", "spacings", "measurement frame"}) {
    if (fields.count(name)) require_finite(fields[name], name, "nrrd.header");
  }
  if (fields.count("space directions")) {
    auto v = numbers_of(fields["space directions"]);
    if (v.size() != std::size_t(rank[0] * rank[0])) fail("space directions '" + fields["space directions"] + "' are no square matrix");
    require_invertible(v, "space directions", "nrrd.header");
  }
  for (double s : numbers_of(fields["spacings"])) {
    if (!(s > 0)) fail("spacings '" + fields["spacings"] + "' are not positive");
  }
  std::string encoding = lower(fields["encoding"]);
  auto data = file.subspan(at);
  if (encoding == "raw") {
    if (data.size() != expected) {
      throw Error(ErrorKind::data, data.size() < expected ? "nrrd.truncated" : "nrrd.trailing",
                  fmt::format("the header announces {} bytes of data, the file has {}", expected, data.size()), "copy or download the file again");
    }
  } else if (encoding == "gzip" || encoding == "gz") {
    gunzip(data, expected);
  } else {
    fail("encoding '" + encoding + "' is not read");
  }
}

const char* type_of(Element element) {
  static constexpr const char* kNames[] = {"uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float", "double"};
  return kNames[std::size_t(element)];
}

}  // namespace

bool is_nrrd(std::span<const std::byte> head) { return head.size() >= 8 && std::string_view(reinterpret_cast<const char*>(head.data()), 7) == "NRRD000"; }

Volume read_nrrd(const std::filesystem::path& path) {
  try {
    auto file = read_file(path);
    if (!is_nrrd(file)) fail("not a NRRD file");
    check(file);
  } catch (const Error& e) {
    throw e.at(path.string());
  }
  return itk_read(path, ItkFormat::nrrd);
}

void write_nrrd(const std::filesystem::path& path, const Volume& volume) {
  if (volume.values.rank() != 3) throw_usage("write_nrrd", "takes one volume [z, y, x], got " + volume.values.str());
  const Geometry& g = volume.geometry;
  const Encoded data = encode(volume);
  auto column = [&](std::size_t c) { return lps_text({g.to_ras[0][c], g.to_ras[1][c], g.to_ras[2][c]}, ","); };
  const std::string header = fmt::format(
      "NRRD0004\n# Complete NRRD file format specification at:\n# http://teem.sourceforge.net/nrrd/format.html\n"
      "type: {}\ndimension: 3\nspace: left-posterior-superior\nsizes: {} {} {}\nspace directions: ({}) ({}) ({})\n"
      "kinds: domain domain domain\nendian: little\nencoding: gzip\nspace origin: ({})\n\n",
      type_of(data.element), g.size[0], g.size[1], g.size[2], column(0), column(1), column(2), column(3));
  const auto packed = gzip({data.data(), data.size()});
  AtomicFile file(path);
  file.write(header);
  file.write(packed.data(), packed.size());
  file.commit();
}

}  // namespace tenon::medical
