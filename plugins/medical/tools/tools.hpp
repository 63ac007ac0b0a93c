/// The classical commands of the plugin: `tenon medical info|convert|orient|resample|validate`.
#pragma once

#include "tenon/plugin.hpp"

namespace tenon::medical {

ToolEntry info_tool();
ToolEntry convert_tool();
ToolEntry orient_tool();
ToolEntry resample_tool();
ToolEntry validate_tool();

}  // namespace tenon::medical
