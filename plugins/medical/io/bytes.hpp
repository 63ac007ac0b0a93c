/// Reading and writing numbers in byte buffers of either byte order, and hexadecimal text.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tenon::medical {

/// The number at `offset`, which the caller knows to lie inside.
template <class T> T get(std::span<const std::byte> bytes, std::size_t offset, bool big_endian = false) {
  std::byte raw[sizeof(T)];
  std::memcpy(raw, bytes.data() + offset, sizeof(T));
  if (big_endian) std::reverse(raw, raw + sizeof(T));
  T v;
  std::memcpy(&v, raw, sizeof(T));
  return v;
}

/// Little-endian.
template <class T> void put(std::span<std::byte> bytes, std::size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof(T));
}

inline std::string to_hex(std::span<const std::byte> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (std::byte b : bytes) {
    out += kDigits[std::size_t(b) >> 4];
    out += kDigits[std::size_t(b) & 15];
  }
  return out;
}

/// Empty when `text` is not an even number of hexadecimal digits.
inline std::vector<std::byte> from_hex(std::string_view text) {
  auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
  std::vector<std::byte> out;
  if (text.size() % 2) return out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    int high = digit(text[i]), low = digit(text[i + 1]);
    if (high < 0 || low < 0) return {};
    out.push_back(std::byte(high << 4 | low));
  }
  return out;
}

}  // namespace tenon::medical
