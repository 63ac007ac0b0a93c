#include "climate/tasks/packed.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "tenon/error.hpp"

namespace tenon::climate {
namespace {

static_assert(std::endian::native == std::endian::little);
constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string pack(std::span<const double> values) {
  std::string bytes(values.size_bytes(), '\0'), text;
  std::memcpy(bytes.data(), values.data(), bytes.size());
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) group = group << 8 | (i + k < bytes.size() ? std::uint8_t(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k) text += i + k > bytes.size() ? '=' : kLetters[group >> (18 - 6 * k) & 63];
  }
  return text;
}

std::vector<double> unpack(std::string_view text, std::size_t count) {
  std::string bytes;
  std::uint32_t group = 0;
  int bits = 0;
  bool good = true;
  for (char c : text) {
    if (c == '=') break;
    const auto at = kLetters.find(c);
    good &= at != std::string_view::npos;
    group = group << 6 | std::uint32_t(at & 63);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes += char(group >> bits & 255);
    }
  }
  if (!good || bytes.size() != count * sizeof(double))
    throw Error(ErrorKind::data, "climate.state", "an array of " + std::to_string(bytes.size()) + " bytes where " + std::to_string(count) + " numbers are expected",
                "the run directory is damaged: train again");
  std::vector<double> values(count);
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

}  // namespace tenon::climate
