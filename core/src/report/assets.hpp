/// The page's own style and script. Raw text; neither contains anything from a run.
#pragma once

#include <string_view>

namespace tenon::report {

extern const std::string_view kStyle;
extern const std::string_view kScript;

}  // namespace tenon::report
