/// The classical commands of the plugin: `tenon climate info|select|climatology|anomaly|regrid|score`.
#pragma once

#include "tenon/plugin.hpp"

namespace tenon::climate {

ToolEntry info_tool();
ToolEntry select_tool();
ToolEntry climatology_tool();
ToolEntry anomaly_tool();
ToolEntry regrid_tool();
ToolEntry score_tool();

}  // namespace tenon::climate
