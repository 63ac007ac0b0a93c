// Never comes back from being loaded.
#include <unistd.h>

#include "some_tool.hpp"

namespace {
[[maybe_unused]] const bool early = [] {
  while (true) ::pause();
  return true;
}();
}  // namespace

TENON_PLUGIN(tenon::Registrar& r) { r.tool(some_tool("one")); }
