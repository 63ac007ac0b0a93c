// Needs a function that nobody has.
#include "some_tool.hpp"

void function_that_nobody_has();

TENON_PLUGIN(tenon::Registrar& r) {
  function_that_nobody_has();
  r.tool(some_tool("one"));
}
