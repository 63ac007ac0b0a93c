// Leaves the process while it is loaded, as if all were well.
#include <cstdlib>

#include "some_tool.hpp"

namespace {
[[maybe_unused]] const bool early = [] {
  std::exit(0);
  return true;
}();
}  // namespace

TENON_PLUGIN(tenon::Registrar& r) { r.tool(some_tool("one")); }
