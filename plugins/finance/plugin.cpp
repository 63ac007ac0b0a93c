/// The finance plugin's table of contents.
#include "tenon/plugin.hpp"

#include "finance/io/format.hpp"
#include "finance/tools/tools.hpp"

TENON_PLUGIN(tenon::Registrar& r) {
  using namespace tenon::finance;
  // Formats: io/.
  r.format(csv_format());
  // Models: models/. Tasks: tasks/.
  // Tools: tools/.
  r.tool(check_tool());
  r.tool(garch_tool());
  r.tool(var_tool());
  r.tool(price_tool());
  r.tool(greeks_tool());
}
