/// The finance plugin's table of contents.
#include "tenon/plugin.hpp"

#include "finance/io/format.hpp"
#include "finance/models/lstm.hpp"
#include "finance/models/nlinear.hpp"
#include "finance/models/patchtst.hpp"
#include "finance/tasks/forecast.hpp"
#include "finance/tasks/volatility.hpp"
#include "finance/tools/tools.hpp"

TENON_PLUGIN(tenon::Registrar& r) {
  using namespace tenon::finance;
  // Formats: io/.
  r.format(csv_format());
  // Models: models/. Tasks: tasks/.
  r.model(nlinear_model());
  r.model(lstm_model());
  r.model(patchtst_model());
  r.task(forecast_task());
  r.task(volatility_task());
  // Tools: tools/.
  r.tool(check_tool());
  r.tool(garch_tool());
  r.tool(var_tool());
  r.tool(price_tool());
  r.tool(greeks_tool());
  r.tool(walk_forward_tool());
}
