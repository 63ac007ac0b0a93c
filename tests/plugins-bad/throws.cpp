// Throws when half of it is registered: none of it may stay.
#include <stdexcept>

#include "some_tool.hpp"

TENON_PLUGIN(tenon::Registrar& r) {
  r.tool(some_tool("one"));
  throw std::runtime_error("the licence server is away");
}
