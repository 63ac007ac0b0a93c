#include <charconv>
#include <optional>
#include <string_view>
#include <vector>

#include "plugin/param_detail.hpp"

namespace tenon {
namespace {

std::string_view trimmed(std::string_view s) {
  const auto first = s.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return s.substr(first, s.find_last_not_of(" \t") - first + 1);
}

std::string_view unquoted(std::string_view s) {
  if (s.size() >= 2 && (s.front() == '"' || s.front() == '\'') && s.back() == s.front()) return s.substr(1, s.size() - 2);
  return s;
}

// Whole text or nothing; std::from_chars so that the locale has no say.
template <class T>
std::optional<T> parsed(std::string_view s) {
  if (s.size() > 1 && s.front() == '+' && s[1] != '-') s.remove_prefix(1);
  T v{};
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), v);
  if (error != std::errc{} || end != s.data() + s.size()) return std::nullopt;
  return v;
}

// "[a, b]" or "a, b"; a comma inside quotes does not part.
std::vector<std::string_view> elements(std::string_view s) {
  if (s.size() >= 2 && s.front() == '[' && s.back() == ']') s = trimmed(s.substr(1, s.size() - 2));
  std::vector<std::string_view> parts;
  if (s.empty()) return parts;
  std::size_t start = 0;
  char quote = 0;
  for (std::size_t i = 0; i <= s.size(); ++i) {
    if (i < s.size() && quote == 0 && (s[i] == '"' || s[i] == '\'')) {
      quote = s[i];
    } else if (i < s.size() && quote != 0) {
      if (s[i] == quote) quote = 0;
    } else if (i == s.size() || s[i] == ',') {
      parts.push_back(trimmed(s.substr(start, i - start)));
      start = i + 1;
    }
  }
  if (quote != 0) parts.push_back(trimmed(s.substr(start)));
  return parts;
}

template <class T>
std::optional<ParamValue> parsed_list(std::string_view text) {
  std::vector<T> list;
  for (const std::string_view part : elements(text)) {
    const auto v = parsed<T>(part);
    if (!v) return std::nullopt;
    list.push_back(*v);
  }
  return list;
}

}  // namespace

std::optional<ParamValue> value_from_text(ParamType type, std::string_view text) {
  text = trimmed(text);
  switch (type) {
    case ParamType::boolean:
      if (text == "true" || text == "yes" || text == "on" || text == "1") return true;
      if (text == "false" || text == "no" || text == "off" || text == "0") return false;
      return std::nullopt;
    case ParamType::integer:
      if (const auto v = parsed<std::int64_t>(text)) return *v;
      return std::nullopt;
    case ParamType::real:
      if (const auto v = parsed<double>(text)) return *v;
      return std::nullopt;
    case ParamType::text:
    case ParamType::path:
      return std::string(unquoted(text));
    case ParamType::integers:
      return parsed_list<std::int64_t>(text);
    case ParamType::reals:
      return parsed_list<double>(text);
    case ParamType::texts: {
      std::vector<std::string> list;
      for (const std::string_view part : elements(text)) list.emplace_back(unquoted(part));
      return list;
    }
  }
  return std::nullopt;
}

}  // namespace tenon
