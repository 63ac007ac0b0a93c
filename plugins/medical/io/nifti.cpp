#include "medical/io/nifti.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "medical/io/bytes.hpp"
#include "medical/io/gzip.hpp"
#include "medical/io/nifti_header.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

namespace tenon::medical {
namespace {

constexpr std::size_t kHeadBytes = kNifti2Bytes + 4;
constexpr std::size_t kMostExtensionBytes = 1 << 20;  ///< longer ones are not carried along

Volume described(const NiftiHeader& h, std::span<const std::byte> head) {
  Volume v;
  v.geometry = h.geometry;
  v.attributes["nifti.header"] = to_hex(head.first(h.version == 2 ? kNifti2Bytes : kNifti1Bytes));
  v.attributes["element"] = std::string(name_of(h.element));
  for (const auto& text : h.warnings) v.warn(text);
  return v;
}

Shape shape_of(const NiftiHeader& h) {
  if (h.size[3] > 1) return {h.size[3], h.size[2], h.size[1], h.size[0]};
  return {h.size[2], h.size[1], h.size[0]};
}

/// Sizes and codes of the extensions, as they are written: little-endian. What they hold has a byte order of its own.
void swap_extension_heads(std::span<std::byte> extensions) {
  for (std::size_t at = 4; at + 8 <= extensions.size();) {
    const auto size = get<std::int32_t>(extensions, at, true);
    if (size < 8 || std::size_t(size) > extensions.size() - at) return;  // padding
    put(extensions, at, size);
    put(extensions, at + 4, get<std::int32_t>(extensions, at + 4, true));
    at += std::size_t(size);
  }
}

void keep_extensions(Volume& v, const NiftiHeader& h, std::span<const std::byte> content) {
  std::size_t start = h.version == 2 ? kNifti2Bytes : kNifti1Bytes;
  if (h.data_offset < start + 4 || content[start] == std::byte{}) return;
  std::size_t size = std::size_t(h.data_offset) - start;
  if (size <= 4 || size > kMostExtensionBytes) return;
  const auto as_read = content.subspan(start, size);
  std::vector<std::byte> kept(as_read.begin(), as_read.end());
  if (h.big_endian) swap_extension_heads(kept);
  v.attributes["nifti.extensions"] = to_hex(kept);
}

Volume read_checked(const std::filesystem::path& path) {
  auto file = std::make_shared<std::vector<std::byte>>(read_file(path));
  std::span<const std::byte> content(*file);
  Tensor keep;
  NiftiHeader h;
  if (is_gzip(content)) {
    auto head = gunzip_head(content, kHeadBytes);
    if (head.size() < kNifti1Bytes) {
      throw Error(ErrorKind::data, head.size() < 4 || nifti_header_size(head) != 0 ? "nifti.truncated" : "nifti.magic",
                  fmt::format("only {} bytes of content could be unpacked, fewer than a NIfTI header", head.size()), "copy or download the file again");
    }
    h = parse_nifti_header(head);
    keep = gunzip(content, h.data_offset + h.data_bytes());
    content = {static_cast<const std::byte*>(keep.raw()), std::size_t(keep.numel())};
    file.reset();
  } else {
    h = parse_nifti_header(content);
    std::uint64_t expected = h.data_offset + h.data_bytes();
    if (content.size() != expected) {
      bool shorter = content.size() < expected;
      throw Error(ErrorKind::data, shorter ? "nifti.truncated" : "nifti.trailing",
                  fmt::format("the header announces {} bytes, the file has {}", expected, content.size()),
                  shorter ? "copy or download the file again" : "the header is inconsistent with the data: export the file again");
    }
    keep = Tensor::wrap(file->data(), {std::int64_t(file->size())}, DType::u8, [file] {});
  }
  Volume v = described(h, content);
  keep_extensions(v, h, content);
  v.values = decode(content.data() + h.data_offset, h.element, h.big_endian, shape_of(h), h.slope, h.intercept, keep);
  return v;
}

/// The first bytes of the content, at least `size` where the file has them.
std::vector<std::byte> read_head(const std::filesystem::path& path, std::size_t size) {
  std::vector<std::byte> head(8192);
  head.resize(files().open_read(path)->read(head.data(), head.size()));
  return is_gzip(head) ? gunzip_head(head, size) : head;
}

bool ends_in_gz(const std::filesystem::path& path) { return path.extension() == ".gz"; }

}  // namespace

Volume read_nifti(const std::filesystem::path& path) {
  try {
    return read_checked(path);
  } catch (const Error& e) {
    throw e.at(path.string());
  }
}

Volume read_nifti_header(const std::filesystem::path& path) {
  try {
    const auto head = read_head(path, kHeadBytes);
    return described(parse_nifti_header(head), head);
  } catch (const Error& e) {
    throw e.at(path.string());
  }
}

std::vector<std::byte> label_map_extension() {
  constexpr std::string_view kText = "Tenon label map";
  std::vector<std::byte> out(36, std::byte{});
  out[0] = std::byte{1};
  put(std::span(out), 4, std::int32_t(32));
  put(std::span(out), 8, std::int32_t(6));
  std::memcpy(out.data() + 12, kText.data(), kText.size());
  return out;
}

bool is_written_labels(const std::filesystem::path& path) {
  const auto mark = label_map_extension();
  try {
    std::vector<std::byte> head = read_head(path, kNifti2Bytes + mark.size());
    const std::size_t start = nifti_header_size(head);
    return is_nifti(head) && head.size() >= start + mark.size() && std::equal(mark.begin(), mark.end(), head.begin() + std::ptrdiff_t(start));
  } catch (const Error&) {
    return false;
  }
}

void write_nifti(const std::filesystem::path& path, const Volume& volume) {
  if (volume.values.rank() != 3 && volume.values.rank() != 4) throw_usage("write_nifti", "takes [z, y, x] or [t, z, y, x], got " + volume.values.str());
  Encoded data = encode(volume);
  std::vector<std::byte> extensions(4, std::byte{});
  if (auto kept = volume.attributes.find("nifti.extensions"); kept != volume.attributes.end()) {
    auto bytes = from_hex(kept->second);
    if (bytes.size() > 4) extensions = std::move(bytes);
  }
  std::size_t start = make_nifti_header(volume, data.element, 352).size();
  std::size_t offset = (start + extensions.size() + 15) / 16 * 16;
  auto head = make_nifti_header(volume, data.element, offset);
  head.insert(head.end(), extensions.begin(), extensions.end());
  head.resize(offset);
  try {
    if (ends_in_gz(path)) {
      head.insert(head.end(), data.data(), data.data() + data.size());
      write_atomic(path, gzip(head));
    } else {
      AtomicFile out(path);
      out.write(head.data(), head.size());
      out.write(data.data(), data.size());
      out.commit();
    }
  } catch (const Error& e) {
    throw e.at(path.string());
  }
}

}  // namespace tenon::medical
