/// The table of contents: what PROVIDES of CMakeLists.txt names, one line each.
#include "gauge.hpp"

TENON_PLUGIN(tenon::Registrar& r) {
  using namespace gauge_plugin;
  r.format(series_format());
  r.model(curve_model());
  r.task(rating_task());
  r.tool(summary_tool());
}
