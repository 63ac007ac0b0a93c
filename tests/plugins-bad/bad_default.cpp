// A parameter whose default lies outside its own range.
#include "some_tool.hpp"

TENON_PLUGIN(tenon::Registrar& r) {
  tenon::ToolEntry tool = some_tool("one");
  tool.params = {tenon::integer_param("count", 0, "how often", 1, 9)};
  r.tool(tool);
}
