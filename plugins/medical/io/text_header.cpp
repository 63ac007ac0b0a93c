#include "medical/io/text_header.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>

#include "tenon/error.hpp"

namespace tenon::medical {
namespace {

[[noreturn]] void fail(const char* code, const std::string& what) { throw Error(ErrorKind::data, code, what, "repair the header or export the image again"); }

}  // namespace

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return char(std::tolower(c)); });
  return text;
}

std::string trimmed(const std::string& text) {
  std::size_t first = text.find_first_not_of(" \t\r\n"), last = text.find_last_not_of(" \t\r\n");
  return first == std::string::npos ? std::string() : text.substr(first, last - first + 1);
}

void require_printable(const std::string& line, const char* code) {
  for (unsigned char c : line) {
    if ((c < 32 && c != '\t') || c > 126) fail(code, fmt::format("the header holds byte {:#04x}, which is no text", c));
  }
}

std::vector<double> numbers_of(const std::string& text) {
  std::vector<double> out;
  const char *at = text.data(), *end = at + text.size();
  while (at < end) {
    if (*at == ' ' || *at == '\t' || *at == ',' || *at == '(' || *at == ')') {
      ++at;
      continue;
    }
    double v = 0;
    auto [next, error] = std::from_chars(*at == '+' ? at + 1 : at, end, v);
    if (error != std::errc{}) {
      out.push_back(std::numeric_limits<double>::quiet_NaN());
      return out;
    }
    out.push_back(v);
    at = next;
  }
  return out;
}

std::uint64_t checked_product(const std::vector<double>& sizes, std::size_t count, const std::string& field, const char* code) {
  if (sizes.size() != count) fail(code, fmt::format("{} holds {} numbers, {} are needed", field, sizes.size(), count));
  double product = 1;
  for (double s : sizes) {
    if (!(s >= 1) || s != std::floor(s)) fail(code, fmt::format("{} holds {}, which is no size", field, s));
    product *= s;
    if (product > 281474976710656.0) fail(code, fmt::format("{}: the product of sizes is too large", field));
  }
  return std::uint64_t(product);
}

void require_finite(const std::string& text, const std::string& field, const char* code) {
  for (double v : numbers_of(text)) {
    if (!std::isfinite(v)) fail(code, fmt::format("{} = '{}' holds something that is no finite number", field, text));
  }
}

void require_invertible(const std::vector<double>& m, const std::string& field, const char* code) {
  double det = 0, scale = 1;
  std::size_t n = m.size() == 4 ? 2 : 3;
  if (n == 2) {
    det = m[0] * m[3] - m[1] * m[2];
  } else {
    det = m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) + m[2] * (m[3] * m[7] - m[4] * m[6]);
  }
  for (std::size_t r = 0; r < n; ++r) {
    double squares = 0;
    for (std::size_t c = 0; c < n; ++c) squares += m[r * n + c] * m[r * n + c];
    scale *= std::sqrt(squares);
  }
  if (!(std::abs(det) > 1e-6 * scale)) fail(code, fmt::format("{} is singular (determinant {:.4g})", field, det));
}

std::string lps_text(const std::array<double, 3>& ras, const char* separator) {
  return fmt::format("{1}{0}{2}{0}{3}", separator, 0 - ras[0], 0 - ras[1], 0 + ras[2]);  // from 0: no number is "-0"
}

}  // namespace tenon::medical
