/// Pages of error codes: Markdown, a section "## <code>" each, whose first line says what happened. The core's is docs/errors.md; plugins bring their own.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tenon::command {

struct Explanation {
  std::string code;  ///< "recipe.unknown_key", or "usage.*" for a family
  std::string text;
  std::string title() const { return text.substr(0, text.find('\n')); }
  bool covers(std::string_view other) const;
};

/// What stands before the first section is the page's introduction and left out.
std::vector<Explanation> explanations_of(std::string_view page);
std::vector<Explanation> core_explanations();

}  // namespace tenon::command
