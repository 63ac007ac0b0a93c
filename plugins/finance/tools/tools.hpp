/// The classical commands of the plugin: `tenon finance check|garch|var|price|greeks|walk-forward`.
#pragma once

#include "tenon/plugin.hpp"

namespace tenon::finance {

ToolEntry check_tool();
ToolEntry garch_tool();
ToolEntry var_tool();
ToolEntry price_tool();
ToolEntry greeks_tool();
ToolEntry walk_forward_tool();

}  // namespace tenon::finance
