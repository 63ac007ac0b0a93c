/// Text from outside: file names and arguments hold whatever bytes their system took, TOML and JSON hold UTF-8 only.
///
/// What is written to be read back (a recipe, the id of a case) must be UTF-8, or it would come back as another text: ask is_utf8 and
/// refuse before any work is done. What is only shown goes through json_text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "tenon/export.hpp"

namespace tenon {

/// Length of the valid UTF-8 sequence at the start of `text`; 0 when it is broken (overlong, surrogate, cut) or `text` is empty.
TENON_API std::size_t utf8_length(std::string_view text) noexcept;
TENON_API bool is_utf8(std::string_view text) noexcept;

/// `text` as a JSON string, quotes included: quotes, backslashes and control characters escaped, each byte that is no UTF-8 shown as U+FFFD.
TENON_API std::string json_string(std::string_view text);

/// A value of nlohmann's JSON as text, each byte that is no UTF-8 shown as U+FFFD (its own dump() throws at the first).
template <class Json>
std::string json_text(const Json& value, int indent = 2) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tenon
