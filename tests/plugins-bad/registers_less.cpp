// Its record promises "tool two" as well.
#include "some_tool.hpp"

TENON_PLUGIN(tenon::Registrar& r) {
  r.tool(some_tool("one"));
}
