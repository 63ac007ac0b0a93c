/// The classical commands of the plugin: `tenon genomics fetch|audit|score-variants|validate`.
#pragma once

#include "tenon/plugin.hpp"

namespace tenon::genomics {

ToolEntry fetch_tool();
ToolEntry audit_tool();
ToolEntry score_variants_tool();
ToolEntry validate_tool();

}  // namespace tenon::genomics
