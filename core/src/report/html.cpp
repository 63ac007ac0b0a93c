#include "report/html.hpp"

#include <fmt/format.h>

#include <cmath>
#include <ctime>

#include "tenon/io/utf8.hpp"

namespace tenon::report {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

}  // namespace

std::string shell_quoted(const std::string& text) {
  static constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./+:,@%";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  while (!text.empty()) {
    std::size_t length = utf8_length(text);
    char c = text[0];
    if (length == 0 || (length == 1 && ((static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7F))) {
      out += kReplacement;
      text.remove_prefix(1);
      continue;
    }
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return out;
}

std::string script_json(const Json& value) {
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace), out;  // ASCII only: U+2028 is escaped too
  for (char c : text) {
    if (c == '<')
      out += "\\u003c";
    else if (c == '>')
      out += "\\u003e";
    else if (c == '&')
      out += "\\u0026";
    else
      out += c;
  }
  return out;
}

std::string base64(std::span<const std::uint8_t> bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::size_t n = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t word = std::uint32_t(bytes[i]) << 16 | (n > 1 ? std::uint32_t(bytes[i + 1]) << 8 : 0u) | (n > 2 ? bytes[i + 2] : 0u);
    out += kDigits[word >> 18];
    out += kDigits[(word >> 12) & 63];
    out += n > 1 ? kDigits[(word >> 6) & 63] : '=';
    out += n > 2 ? kDigits[word & 63] : '=';
  }
  return out;
}

std::string figure(double value) {
  if (!std::isfinite(value)) return "\u2013";
  double size = std::abs(value);
  std::string text = size == 0                    ? "0"
                     : size < 1e-3 || size >= 1e6 ? fmt::format("{:.2g}", value)
                     : size < 2                   ? fmt::format("{:.3f}", value)
                     : size < 100                 ? fmt::format("{:.2f}", value)
                                                  : fmt::format("{:.0f}", value);
  return text[0] == '-' ? "\u2212" + text.substr(1) : text;
}

std::string signed_figure(double value) {
  std::string text = figure(value);
  return value > 0 ? "+" + text : text;
}

const char* tone(const MetricColumn& column, double score, double baseline) {
  const double gain = column.merit(score) - column.merit(baseline);
  return gain > 0 ? "better" : gain < 0 ? "worse" : "soft";
}

std::string grouped(std::int64_t value) {
  std::string digits = std::to_string(value), out;
  std::size_t start = value < 0 ? 1 : 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > start && (digits.size() - i) % 3 == 0) out += "\u202F";
    out += digits[i];
  }
  return out;
}

std::string duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "\u2013";
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  auto whole = std::int64_t(std::llround(std::min(seconds, 1e15)));
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

std::string utc_date(std::int64_t unix_ns) {
  std::time_t seconds = unix_ns / 1000000000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} UTC", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                     parts.tm_min);
}

}  // namespace tenon::report
