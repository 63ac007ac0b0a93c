#include "medical/io/metaimage.hpp"

#include <fmt/format.h>
#include <libdeflate.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "medical/io/element.hpp"
#include "medical/io/itk_image.hpp"
#include "medical/io/text_header.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

namespace tenon::medical {
namespace {

constexpr std::size_t kMostHeaderBytes = 1 << 16;

[[noreturn]] void fail(const std::string& what) {
  throw Error(ErrorKind::data, "metaimage.header", what, "write it again as a scalar MetaImage with one data file");
}

std::size_t element_bytes(const std::string& type) {
  static const std::map<std::string, std::size_t> kTypes = {{"MET_UCHAR", 1}, {"MET_CHAR", 1}, {"MET_USHORT", 2}, {"MET_SHORT", 2},
                                                            {"MET_UINT", 4}, {"MET_INT", 4}, {"MET_ULONG_LONG", 8}, {"MET_LONG_LONG", 8},
                                                            {"MET_FLOAT", 4}, {"MET_DOUBLE", 8}};
  auto found = kTypes.find(type);
  if (found == kTypes.end()) fail("ElementType '" + type + "' is not read");
  return found->second;
}

using Fields = std::map<std::string, std::string>;

struct Header {
  Fields fields;
  std::size_t end = 0;  ///< where data that is kept in the file begins
};

/// As MetaIO does: a name ends at the first '=' or ':', and more of them may stand before the value.
Header parse(std::span<const std::byte> file) {
  std::string_view text(reinterpret_cast<const char*>(file.data()), std::min(file.size(), kMostHeaderBytes));
  Header h;
  while (h.end < text.size()) {
    std::size_t stop = text.find('\n', h.end);
    if (stop == std::string_view::npos) break;
    std::string line(text.substr(h.end, stop - h.end));
    h.end = stop + 1;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    require_printable(line, "metaimage.header");
    std::size_t separator = line.find_first_of("=:");
    std::string name = trimmed(line.substr(0, separator));
    if (separator == std::string::npos || name.empty()) fail("header line '" + line.substr(0, 60) + "' is no field");
    std::string value = line.substr(std::min(line.find_first_not_of("=: \t", separator), line.size()));
    if (!h.fields.emplace(name, trimmed(value)).second) fail("field '" + name + "' stands twice");
    if (name == "DimSize" && !h.fields.count("NDims")) fail("NDims does not stand before DimSize");
    if (name == "ElementDataFile") return h;
  }
  throw Error(ErrorKind::data, "metaimage.truncated", fmt::format("no ElementDataFile within {} bytes of header", text.size()), "copy or download the file again");
}

/// MetaIO looks at the first letter alone and takes "Yes" for False: only what it and a reader take alike passes.
bool flag(const Fields& f, const char* name, bool absent) {
  auto found = f.find(name);
  if (found == f.end()) return absent;
  std::string text = lower(found->second);
  if (text == "true" || text == "t" || text == "1") return true;
  if (text == "false" || text == "f" || text == "0") return false;
  fail(std::string(name) + " '" + found->second + "' is neither True nor False");
}

/// zlib checks its Adler-32; nothing may follow it.
void check_compressed(std::span<const std::byte> data, std::uint64_t expected) {
  if (expected > 1032 * std::uint64_t(data.size())) fail(fmt::format("{} bytes of data cannot come out of {} compressed ones", expected, data.size()));
  Tensor scratch = Tensor::empty({std::int64_t(expected)}, DType::u8);
  std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> d(libdeflate_alloc_decompressor(), &libdeflate_free_decompressor);
  if (!d) throw Error(ErrorKind::device, "io.memory", "no memory for the decompressor");
  std::size_t used = 0, made = 0;
  auto rc = libdeflate_zlib_decompress_ex(d.get(), data.data(), data.size(), scratch.raw(), std::size_t(expected), &used, &made);
  if (rc != LIBDEFLATE_SUCCESS || used != data.size() || made != expected) {
    throw Error(ErrorKind::data, "metaimage.corrupt",
                fmt::format("the compressed data is cut, damaged or not the announced {} bytes ({} compressed bytes found)", expected, data.size()),
                "copy or download the file again");
  }
}

/// MetaIO reads as many bytes as CompressedDataSize says and ignores how unpacking them ends; without the field it takes the
/// whole file, the header too.
void check_compressed_size(const Fields& f, std::size_t found, bool local) {
  auto field = f.find("CompressedDataSize");
  if (field == f.end() && !local) return;
  if (field != f.end() && field->second == std::to_string(found)) return;
  std::string said = field == f.end() ? "is absent" : "is '" + field->second + "'";
  throw Error(ErrorKind::data, "metaimage.header", fmt::format("CompressedDataSize {}, the compressed data has {} bytes", said, found),
              "write the image again, with this size or uncompressed");
}

void check_place(Fields& f, std::size_t rank) {
  for (const char* name : {"Offset", "Position", "Origin", "ImagePosition", "CenterOfRotation", "ElementSpacing", "ElementSize"}) {
    if (!f.count(name)) continue;
    require_finite(f[name], name, "metaimage.header");
    // MetaIO takes the numbers that a line lacks from the lines below it.
    if (auto n = numbers_of(f[name]).size(); n < rank) fail(fmt::format("{} holds {} numbers, {} are needed", name, n, rank));
  }
  for (const char* name : {"TransformMatrix", "Rotation", "Orientation"}) {
    if (!f.count(name)) continue;
    require_finite(f[name], name, "metaimage.header");
    auto m = numbers_of(f[name]);
    if (m.size() != rank * rank) fail(std::string(name) + " '" + f[name] + "' is no square matrix");
    require_invertible(m, name, "metaimage.header");
  }
  const char* spacing = f.count("ElementSpacing") ? "ElementSpacing" : "ElementSize";
  for (double s : numbers_of(f[spacing])) {
    if (!(s > 0)) fail(std::string(spacing) + " '" + f[spacing] + "' is not positive");
  }
}

/// The bytes of the data file beside `path`. MetaIO gives '/', '~', '%', "LIST" and a second word meanings of their own.
std::vector<std::byte> data_beside(const std::filesystem::path& path, const std::string& name) {
  if (name.empty() || name[0] == '~' || name.find_first_of("/% ") != std::string::npos || name.starts_with("LIST")) {
    fail("ElementDataFile '" + name + "': only one data file in the same folder is read");
  }
  return read_file(path.parent_path() / name);
}

void check(std::span<const std::byte> file, const std::filesystem::path& path) {
  Header h = parse(file);
  auto& f = h.fields;
  if (f.count("ObjectType") && f["ObjectType"] != "Image") fail("ObjectType '" + f["ObjectType"] + "' is not Image");
  if (!flag(f, "BinaryData", true)) fail("data as text is not read");
  for (const char* name : {"BinaryDataByteOrderMSB", "ElementByteOrderMSB"}) flag(f, name, false);
  if (f.count("ElementNumberOfChannels") && f["ElementNumberOfChannels"] != "1") fail("ElementNumberOfChannels " + f["ElementNumberOfChannels"] + " is not 1");
  if (f.count("HeaderSize") && f["HeaderSize"] != "0") fail("HeaderSize " + f["HeaderSize"] + " is not 0");
  auto rank = numbers_of(f["NDims"]);
  if (rank.size() != 1 || (rank[0] != 2 && rank[0] != 3)) fail("NDims '" + f["NDims"] + "' is not 2 or 3");
  std::uint64_t expected = checked_product(numbers_of(f["DimSize"]), std::size_t(rank[0]), "DimSize", "metaimage.header") * element_bytes(f["ElementType"]);
  check_place(f, std::size_t(rank[0]));
  const std::string& name = f["ElementDataFile"];
  const bool local = name == "LOCAL" || name == "Local" || name == "local";  // MetaIO's spellings; any other is a file
  std::vector<std::byte> beside;
  if (!local) beside = data_beside(path, name);
  std::span<const std::byte> data = local ? file.subspan(h.end) : std::span<const std::byte>(beside);
  if (flag(f, "CompressedData", false)) {
    check_compressed(data, expected);
    return check_compressed_size(f, data.size(), local);
  }
  if (data.size() != expected) {
    throw Error(ErrorKind::data, data.size() < expected ? "metaimage.truncated" : "metaimage.trailing",
                fmt::format("the header announces {} bytes of data, found are {}", expected, data.size()), "copy or download the file again");
  }
}

std::string header_of(const Geometry& g, Element element, const std::string& data_file) {
  static constexpr const char* kTypes[] = {"UCHAR", "CHAR", "USHORT", "SHORT", "UINT", "INT", "ULONG_LONG", "LONG_LONG", "FLOAT", "DOUBLE"};
  const auto spacing = g.spacing();
  const auto direction = g.direction();
  auto column = [&](std::size_t c) { return lps_text({direction[0][c], direction[1][c], direction[2][c]}, " "); };
  return fmt::format(
      "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = False\n"
      "TransformMatrix = {} {} {}\nOffset = {}\nCenterOfRotation = 0 0 0\nElementSpacing = {} {} {}\nDimSize = {} {} {}\n"
      "ElementType = MET_{}\nElementDataFile = {}\n",
      column(0), column(1), column(2), lps_text(g.origin(), " "), spacing[0], spacing[1], spacing[2], g.size[0], g.size[1], g.size[2],
      kTypes[std::size_t(element)], data_file);
}

}  // namespace

bool is_metaimage(std::span<const std::byte> head) {
  std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  return text.rfind("ObjectType", 0) == 0 || text.rfind("NDims", 0) == 0 || (text.rfind("Comment", 0) == 0 && text.find("\nObjectType") != text.npos);
}

Volume read_metaimage(const std::filesystem::path& path) {
  try {
    auto file = read_file(path);
    if (!is_metaimage(file)) fail("not a MetaImage file");
    check(file, path);
  } catch (const Error& e) {
    throw e.at(path.string());
  }
  return itk_read(path, ItkFormat::metaimage);
}

std::optional<std::filesystem::path> metaimage_data_file(const std::filesystem::path& path) {
  if (path.extension() != ".mhd") return {};
  auto raw = path;
  return raw.replace_extension(".raw");
}

void write_metaimage(const std::filesystem::path& path, const Volume& volume) {
  if (volume.values.rank() != 3) throw_usage("write_metaimage", "takes one volume [z, y, x], got " + volume.values.str());
  const Encoded data = encode(volume);
  const auto raw = metaimage_data_file(path);
  const std::string header = header_of(volume.geometry, data.element, raw ? raw->filename().string() : "LOCAL");
  AtomicFile file(path);
  file.write(header);
  if (!raw) {
    file.write(data.data(), data.size());
    return file.commit();
  }
  // Both files are written before either gets its name: a disk that is full leaves the old pair, or none.
  const bool replaced = file_exists(*raw);
  AtomicFile beside(*raw);
  beside.write(data.data(), data.size());
  try {
    beside.commit();
    file.commit();
  } catch (const Error&) {
    if (!replaced && !file_exists(path)) files().remove(*raw);
    throw;
  }
}

}  // namespace tenon::medical
