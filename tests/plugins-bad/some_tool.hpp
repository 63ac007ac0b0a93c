/// The smallest tool that may be registered.
#pragma once

#include "tenon/plugin.hpp"

inline tenon::ToolEntry some_tool(const char* name) {
  return {.name = name, .help = "Does nothing", .run = [](const std::vector<std::string>&, const tenon::ParamValues&, tenon::ToolContext&) {
            return 0;
          }};
}
