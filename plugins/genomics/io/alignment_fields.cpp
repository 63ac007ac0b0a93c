/// Header lines and optional fields of SAM and BAM (SAM specification, sections 1.3, 1.5 and 4.2.4).
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "genomics/io/alignment_check.hpp"

namespace tenon::genomics {
namespace {

template <class T>
bool whole(std::string_view text, T low, T high) {
  if (text.starts_with('+')) text.remove_prefix(1);
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= low && value <= high;
}

bool real(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error != std::errc::invalid_argument && end == text.data() + text.size();
}

bool is_tag(std::string_view tag) {
  const auto letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); };
  return tag.size() == 2 && letter(tag[0]) && (letter(tag[1]) || (tag[1] >= '0' && tag[1] <= '9'));
}

bool all_of(std::string_view text, char low, char high) {
  return std::all_of(text.begin(), text.end(), [&](char c) { return c >= low && c <= high; });
}

bool is_hex(std::string_view text) { return text.size() % 2 == 0 && text.find_first_not_of("0123456789ABCDEFabcdef") == std::string_view::npos; }

/// A number of a SAM array of the type.
bool in_array(char type, std::string_view text) {
  const auto within = [&](std::int64_t low, std::int64_t high) { return whole<std::int64_t>(text, low, high); };
  switch (type) {
    case 'c': return within(-128, 127);
    case 'C': return within(0, 255);
    case 's': return within(-32768, 32767);
    case 'S': return within(0, 65535);
    case 'i': return within(std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max());
    case 'I': return within(0, std::numeric_limits<std::uint32_t>::max());
    case 'f': return real(text);
    default: return false;
  }
}

bool is_array(std::string_view value) {
  if (value.empty() || std::string_view("cCsSiIf").find(value[0]) == std::string_view::npos) return false;
  for (std::size_t at = 1; at < value.size();) {
    if (value[at] != ',') return false;
    const auto end = std::min(value.find(',', at + 1), value.size());
    if (!in_array(value[0], value.substr(at + 1, end - at - 1))) return false;
    at = end;
  }
  return true;
}

/// Bytes of a BAM number of the type; 0 for what is none.
std::size_t width_of(char type) {
  switch (type) {
    case 'A': case 'c': case 'C': return 1;
    case 's': case 'S': return 2;
    case 'i': case 'I': case 'f': return 4;
    default: return 0;
  }
}

/// Bytes of a value at the start of `bytes`; 0 where there is no whole one.
std::size_t value_size(char type, std::string_view bytes) {
  if (type == 'Z' || type == 'H') {
    const auto end = bytes.find('\0');
    return end == std::string_view::npos || (type == 'H' ? !is_hex(bytes.substr(0, end)) : !all_of(bytes.substr(0, end), ' ', '~')) ? 0 : end + 1;
  }
  if (type == 'B') {
    if (bytes.size() < 5 || bytes[0] == 'A' || width_of(bytes[0]) == 0) return 0;
    std::uint64_t count = 0;
    for (std::size_t i = 4; i > 0; --i) count = count << 8 | std::uint8_t(bytes[i]);
    const std::uint64_t size = 5 + count * width_of(bytes[0]);
    return size <= bytes.size() ? std::size_t(size) : 0;
  }
  const std::size_t size = width_of(type);
  return size > bytes.size() || (type == 'A' && !all_of(bytes.substr(0, 1), '!', '~')) ? 0 : size;
}

}  // namespace

std::string read_contig(std::string_view line, AlignmentContig& contig) {
  contig = {{}, -1};
  for (std::size_t at = line.find('\t'); at != std::string_view::npos;) {
    const auto end = line.find('\t', at + 1);
    const auto field = line.substr(at + 1, end == std::string_view::npos ? end : end - at - 1);
    if (field.starts_with("SN:")) contig.name = std::string(field.substr(3));
    if (field.starts_with("LN:")) {
      if (!whole<std::int64_t>(field.substr(3), 1, std::numeric_limits<std::int32_t>::max())) return fmt::format("@SQ LN '{}' is no length of 1 to 2147483647", field.substr(3));
      std::from_chars(field.data() + 3, field.data() + field.size(), contig.length);
    }
    at = end;
  }
  return contig.name.empty() || contig.length < 0 ? "an @SQ line without SN or LN" : "";
}

std::string defect_of_tag(std::string_view field) {
  if (field.size() < 5 || field[2] != ':' || field[4] != ':' || !is_tag(field.substr(0, 2))) return fmt::format("'{}' is no TAG:TYPE:VALUE", field);
  const char type = field[3];
  const auto value = field.substr(5);
  bool good = false;
  switch (type) {
    case 'A': good = value.size() == 1 && all_of(value, '!', '~'); break;
    case 'i': good = whole<std::int64_t>(value, std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::uint32_t>::max()); break;
    case 'f': good = real(value); break;
    case 'Z': good = all_of(value, ' ', '~'); break;
    case 'H': good = is_hex(value); break;
    case 'B': good = is_array(value); break;
    default: return fmt::format("the type of '{}' is none of A i f Z H B", field);
  }
  return good ? "" : fmt::format("'{}' holds no value of type {}", field, type);
}

std::string defect_of_tags(std::string_view bytes) {
  std::vector<std::string_view> seen;
  while (!bytes.empty()) {
    if (bytes.size() < 3 || !is_tag(bytes.substr(0, 2))) return fmt::format("its last {} bytes are no field", bytes.size());
    const auto tag = bytes.substr(0, 2);
    if (std::find(seen.begin(), seen.end(), tag) != seen.end()) return fmt::format("its field {} stands twice", tag);
    seen.push_back(tag);
    const std::size_t size = value_size(bytes[2], bytes.substr(3));
    if (size == 0) return fmt::format("its field {} has no whole value of type {}", tag, bytes[2] > ' ' && bytes[2] <= '~' ? bytes.substr(2, 1) : "?");
    bytes.remove_prefix(3 + size);
  }
  return {};
}

}  // namespace tenon::genomics
