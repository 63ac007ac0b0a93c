/// The genomics plugin's table of contents.
#include "tenon/plugin.hpp"

#include "genomics/models/models.hpp"
#include "genomics/tasks/classification.hpp"
#include "genomics/tools/tools.hpp"

TENON_PLUGIN(tenon::Registrar& r) {
  using namespace tenon::genomics;
  // Models: models/. Tasks: tasks/.
  r.model(basset_model());
  r.model(dilated_model());
  r.task(classification_task());
  // Tools: tools/.
  r.tool(fetch_tool());
  r.tool(audit_tool());
  r.tool(score_variants_tool());
  r.tool(validate_tool());
}
