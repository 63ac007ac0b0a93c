// Reads from nowhere while it is loaded.

#include <cstdint>

#include "some_tool.hpp"

namespace {
[[maybe_unused]] const bool early = [] {
  volatile std::uintptr_t nowhere = 8;
  return *reinterpret_cast<volatile char*>(nowhere) != 0;
}();
}  // namespace

TENON_PLUGIN(tenon::Registrar& r) { r.tool(some_tool("one")); }
