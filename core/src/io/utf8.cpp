#include "tenon/io/utf8.hpp"

namespace tenon {

std::size_t utf8_length(std::string_view text) noexcept {
  auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  auto follows = [&](std::size_t i) { return (byte(i) & 0xC0u) == 0x80u; };
  if (text.empty()) return 0;
  unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    bool bad = !follows(1) || !follows(2) || (first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) >= 0xA0);
    return bad ? 0 : 3;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    bool bad = !follows(1) || !follows(2) || !follows(3) || (first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) >= 0x90);
    return bad ? 0 : 4;
  }
  return 0;
}

bool is_utf8(std::string_view text) noexcept {
  while (const std::size_t length = utf8_length(text)) text.remove_prefix(length);
  return text.empty();
}

std::string json_string(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef", kReplacement = "\xEF\xBF\xBD";
  std::string out = "\"";
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const auto first = static_cast<unsigned char>(text[0]);
    if (length == 0) out += kReplacement;
    else if (first == '"' || first == '\\') out += {'\\', text[0]};
    else if (first == '\n') out += "\\n";
    else if (first == '\t') out += "\\t";
    else if (first < 0x20) out += std::string("\\u00") + kHex[first >> 4] + kHex[first & 15];
    else out += text.substr(0, length);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out + "\"";
}

}  // namespace tenon
