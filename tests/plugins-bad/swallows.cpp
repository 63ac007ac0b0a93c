// Has an entry refused, catches that and goes on as if nothing had happened.
#include <exception>

#include "some_tool.hpp"

TENON_PLUGIN(tenon::Registrar& r) {
  r.tool(some_tool("one"));
  try {
    r.tool(some_tool("Not A Name"));
  } catch (const std::exception&) {
    return;
  }
}
