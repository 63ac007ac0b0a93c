#include "medical/io/dicom_file.hpp"

#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <string_view>

#include "medical/io/bytes.hpp"
#include "medical/io/text_header.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

namespace tenon::medical {
namespace {

constexpr std::size_t kPrefix = 132;
constexpr std::uint32_t kUndefined = 0xFFFFFFFFu;
constexpr DicomTag kItem = 0xFFFEE000u, kItemEnd = 0xFFFEE00Du, kSequenceEnd = 0xFFFEE0DDu, kPixelData = 0x7FE00010u, kTransferSyntax = 0x00020010u;
constexpr int kDeepest = 64;

[[noreturn]] void fail(const char* code, const std::string& what) { throw Error(ErrorKind::data, code, what, "copy or export the file again"); }

std::string tag_name(DicomTag t) { return fmt::format("({:04X},{:04X})", t >> 16, t & 0xFFFF); }

bool long_form(std::string_view vr) {
  for (std::string_view v : {"OB", "OW", "OF", "OD", "OL", "OV", "SQ", "UC", "UR", "UT", "UN", "SV", "UV"}) {
    if (v == vr) return true;
  }
  return false;
}

bool letters(std::string_view vr) { return vr[0] >= 'A' && vr[0] <= 'Z' && vr[1] >= 'A' && vr[1] <= 'Z'; }

}  // namespace

bool is_dicom(std::span<const std::byte> head) { return head.size() >= kPrefix && std::memcmp(head.data() + 128, "DICM", 4) == 0; }

template <class T> T DicomFile::take(std::size_t& at, std::size_t end) const {
  if (end - at < sizeof(T)) fail("dicom.truncated", fmt::format("the data ends at byte {} within an element", end));
  T v = get<T>(bytes_, at);
  at += sizeof(T);
  return v;
}

DicomFile::DicomFile(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {
  if (!is_dicom(bytes_)) {
    throw Error(ErrorKind::data, "dicom.not_dicom", "no DICM mark after the first 128 bytes", "give a DICOM file or a folder of them");
  }
  // Group 2 is always explicit little endian; it ends where another group begins.
  std::size_t end = kPrefix;
  while (end + 8 <= bytes_.size() && get<std::uint16_t>(bytes_, end) == 2) {
    std::size_t at = end + 6;
    std::string_view vr(reinterpret_cast<const char*>(bytes_.data() + end + 4), 2);
    std::size_t length = 0;
    if (long_form(vr)) {
      at += 2;
      length = take<std::uint32_t>(at, bytes_.size());
    } else {
      length = take<std::uint16_t>(at, bytes_.size());
    }
    if (length > bytes_.size() - at) fail("dicom.length", fmt::format("an element of the file header claims {} bytes, {} are left", length, bytes_.size() - at));
    end = at + length;
  }
  walk(kPrefix, end, true, 0, false);
  transfer_syntax_ = text(kTransferSyntax);
  static constexpr std::string_view kEncapsulated = "1.2.840.10008.1.2.4.";
  bool implicit = transfer_syntax_ == "1.2.840.10008.1.2", plain = transfer_syntax_ == "1.2.840.10008.1.2.1";
  compressed_ = transfer_syntax_.rfind(kEncapsulated, 0) == 0 || transfer_syntax_ == "1.2.840.10008.1.2.5";
  if (!implicit && !plain && !compressed_) {
    throw Error(ErrorKind::data, "dicom.transfer_syntax", "transfer syntax '" + transfer_syntax_ + "' is not read",
                "convert it to Explicit VR Little Endian, for example with dcmconv +te");
  }
  walk(end, bytes_.size(), !implicit, 0, false);
}

DicomFile DicomFile::read(const std::filesystem::path& path) {
  try {
    return DicomFile(read_file(path));
  } catch (const Error& e) {
    throw e.at(path.string());
  }
}

std::size_t DicomFile::walk(std::size_t at, std::size_t end, bool explicit_vr, int depth, bool until_delimiter) {
  if (depth > kDeepest) fail("dicom.depth", fmt::format("sequences nest more than {} deep at byte {}", kDeepest, at));
  while (at < end) {
    auto group = take<std::uint16_t>(at, end);
    DicomTag tag = DicomTag(group) << 16 | take<std::uint16_t>(at, end);
    if (tag == kItemEnd && until_delimiter) {
      take<std::uint32_t>(at, end);
      return at;
    }
    if (group == 0xFFFE) fail("dicom.header", fmt::format("{} at byte {} stands outside a sequence", tag_name(tag), at - 4));
    std::uint32_t length = 0;
    bool sequence = false, unknown = false;
    if (explicit_vr) {
      if (end - at < 4) fail("dicom.truncated", fmt::format("the data ends at byte {} within {}", end, tag_name(tag)));
      std::string_view vr(reinterpret_cast<const char*>(bytes_.data() + at), 2);
      if (!letters(vr)) fail("dicom.header", fmt::format("{} at byte {} has no valid value representation", tag_name(tag), at - 4));
      at += 2;
      if (long_form(vr)) {
        at += 2;
        length = take<std::uint32_t>(at, end);
      } else {
        length = take<std::uint16_t>(at, end);
      }
      sequence = vr == "SQ";
      unknown = vr == "UN";
    } else {
      length = take<std::uint32_t>(at, end);
    }
    if (tag == kPixelData && depth == 0) {
      has_pixels_ = true;
      if (compressed_ != (length == kUndefined)) fail("dicom.header", "the pixel data is not stored as the transfer syntax " + transfer_syntax_ + " says");
      if (compressed_) {
        at = walk_fragments(at);
        continue;
      }
    } else if (sequence || length == kUndefined) {
      // An undefined length is a sequence in any syntax; of VR UN, one in implicit VR (PS3.5, 6.2.2).
      bool open = length == kUndefined;
      if (!open && length > end - at) fail("dicom.length", fmt::format("{} claims {} bytes, {} are left", tag_name(tag), length, end - at));
      at = walk_items(at, open ? end : at + length, explicit_vr && !unknown, depth + 1, open);
      continue;
    }
    if (length > end - at) fail("dicom.length", fmt::format("{} claims {} bytes, {} are left: the file is cut or damaged", tag_name(tag), length, end - at));
    std::span<const std::byte> found(bytes_.data() + at, length);
    if (tag == kPixelData && depth == 0) pixels_ = found;
    if (depth == 0) elements_.emplace(tag, found);
    at += length;
  }
  if (until_delimiter) fail("dicom.truncated", fmt::format("an item does not end before byte {}", end));
  return at;
}

std::size_t DicomFile::walk_items(std::size_t at, std::size_t end, bool explicit_vr, int depth, bool until_delimiter) {
  while (at < end) {
    auto group = take<std::uint16_t>(at, end);
    DicomTag tag = DicomTag(group) << 16 | take<std::uint16_t>(at, end);
    auto length = take<std::uint32_t>(at, end);
    if (tag == kSequenceEnd && until_delimiter) return at;
    if (tag != kItem) fail("dicom.header", fmt::format("{} at byte {} where an item should begin", tag_name(tag), at - 8));
    bool open = length == kUndefined;
    if (!open && length > end - at) fail("dicom.length", fmt::format("an item at byte {} claims {} bytes, {} are left", at, length, end - at));
    at = walk(at, open ? end : at + length, explicit_vr, depth, open);
  }
  if (until_delimiter) fail("dicom.truncated", fmt::format("a sequence does not end before byte {}", end));
  return at;
}

std::size_t DicomFile::walk_fragments(std::size_t at) {
  while (true) {
    auto group = take<std::uint16_t>(at, bytes_.size());
    DicomTag tag = DicomTag(group) << 16 | take<std::uint16_t>(at, bytes_.size());
    auto length = take<std::uint32_t>(at, bytes_.size());
    if (tag == kSequenceEnd) return at;
    if (tag != kItem) fail("dicom.header", fmt::format("{} at byte {} among the fragments of the pixel data", tag_name(tag), at - 8));
    if (length > bytes_.size() - at) fail("dicom.length", fmt::format("a fragment of the pixel data claims {} bytes, {} are left", length, bytes_.size() - at));
    at += length;
  }
}

std::optional<std::span<const std::byte>> DicomFile::value(DicomTag tag) const {
  auto found = elements_.find(tag);
  if (found == elements_.end()) return {};
  return found->second;
}

std::string DicomFile::text(DicomTag tag) const {
  auto found = value(tag);
  if (!found) return {};
  std::string out(reinterpret_cast<const char*>(found->data()), found->size());
  while (!out.empty() && (out.back() == '\0' || out.back() == ' ')) out.pop_back();
  return out;
}

std::vector<double> DicomFile::decimals(DicomTag tag) const {
  std::vector<double> out;
  std::string all = text(tag);
  for (std::size_t at = 0; at <= all.size() && !all.empty();) {
    std::size_t stop = std::min(all.find('\\', at), all.size());
    auto numbers = numbers_of(all.substr(at, stop - at));
    out.push_back(numbers.size() == 1 ? numbers[0] : std::numeric_limits<double>::quiet_NaN());
    at = stop + 1;
  }
  return out;
}

std::optional<std::uint32_t> DicomFile::number(DicomTag tag) const {
  auto found = value(tag);
  if (!found) return {};
  if (found->size() == 2) return get<std::uint16_t>(*found, 0);
  if (found->size() == 4) return get<std::uint32_t>(*found, 0);
  return {};
}

}  // namespace tenon::medical
