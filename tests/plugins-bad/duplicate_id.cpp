// Registers one name twice.
#include "some_tool.hpp"

TENON_PLUGIN(tenon::Registrar& r) {
  r.tool(some_tool("one"));
  r.tool(some_tool("one"));
}
