// Throws from a constructor that runs before anybody can catch.
#include <unistd.h>

#include <stdexcept>

#include "some_tool.hpp"

namespace {
[[maybe_unused]] const bool early = [] {
  if (::getpid() > 0) throw std::runtime_error("too early");
  return true;
}();
}  // namespace

TENON_PLUGIN(tenon::Registrar& r) { r.tool(some_tool("one")); }
