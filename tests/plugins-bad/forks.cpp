// Leaves a process behind when it is loaded.
#include <unistd.h>

#include "some_tool.hpp"

namespace {
[[maybe_unused]] const bool early = [] {
  if (::fork() == 0)
    while (true) ::pause();
  return true;
}();
}  // namespace

TENON_PLUGIN(tenon::Registrar& r) { r.tool(some_tool("one")); }
