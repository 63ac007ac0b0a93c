/// A number as messages show it (private).
#pragma once

#include <charconv>
#include <string>

namespace tenon {

/// As few digits as tell it from its neighbours: "1.0000001", "-1e-12".
inline std::string number_text(double value) {
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof text, value).ptr);
}

}  // namespace tenon
