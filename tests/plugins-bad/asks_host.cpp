// Asks the host for its own tool while it registers it.
#include "some_tool.hpp"

TENON_PLUGIN(tenon::Registrar& r) {
  r.tool(some_tool("one"));
  tenon::PluginHost::instance().tool("asks_host.one");
}
