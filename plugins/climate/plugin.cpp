/// The climate plugin's table of contents.
#include "tenon/plugin.hpp"

#include "climate/io/formats.hpp"
#include "climate/models/models.hpp"
#include "climate/tasks/forecast.hpp"
#include "climate/tasks/operator.hpp"
#include "climate/tasks/super_resolution.hpp"
#include "climate/tools/tools.hpp"

TENON_PLUGIN(tenon::Registrar& r) {
  using namespace tenon::climate;
  // Formats: io/formats.cpp.
  r.format(netcdf_format());
  // Models: models/.
  r.model(fno2d_model());
  r.model(unet_model());
  r.model(resnet_model());
  // Tasks: tasks/.
  r.task(forecast_task());
  r.task(operator_task());
  r.task(super_resolution_task());
  // Tools: tools/.
  r.tool(info_tool());
  r.tool(select_tool());
  r.tool(climatology_tool());
  r.tool(anomaly_tool());
  r.tool(regrid_tool());
  r.tool(score_tool());
}
