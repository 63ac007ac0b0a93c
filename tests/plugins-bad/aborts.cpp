// Aborts while it is loaded.
#include <cstdlib>

#include "some_tool.hpp"

namespace {
[[maybe_unused]] const bool early = [] {
  std::abort();
  return true;
}();
}  // namespace

TENON_PLUGIN(tenon::Registrar& r) { r.tool(some_tool("one")); }
