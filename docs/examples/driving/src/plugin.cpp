/// The plugin's table of contents. What is registered here is what PROVIDES of CMakeLists.txt names; the host checks that both agree.
/// Users write the names as driving.<name>.
#include "tenon/plugin.hpp"

namespace driving_plugin {
tenon::FormatEntry velodyne_format();  // src/cloud.cpp
tenon::ModelEntry pillars_model();     // src/pillars.cpp
tenon::TaskEntry segmentation_task();  // src/segmentation.cpp
tenon::ToolEntry simulate_tool();      // src/simulate.cpp
tenon::ToolEntry voxelise_tool();      // src/voxelise.cpp
}  // namespace driving_plugin

TENON_PLUGIN(tenon::Registrar& r) {
  using namespace driving_plugin;
  r.format(velodyne_format());
  r.model(pillars_model());
  r.task(segmentation_task());
  r.tool(simulate_tool());
  r.tool(voxelise_tool());
}
