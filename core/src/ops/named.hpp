/// Choices by name: the value, or a usage error with the nearest names (private).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tenon/error.hpp"
#include "tenon/params.hpp"

namespace tenon {

template <class V>
using Named = std::vector<std::pair<std::string, V>>;

template <class V>
const V& find_named(const char* op, const char* what, std::string_view name, const Named<V>& known) {
  std::vector<std::string> names;
  for (const auto& [text, value] : known) {
    if (text == name) return value;
    names.push_back(text);
  }
  throw_usage(op, "no " + std::string(what) + " '" + std::string(name) + "'", suggestion(name, names));
}

}  // namespace tenon
