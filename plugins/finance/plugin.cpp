/// The finance plugin's table of contents.
#include "tenon/plugin.hpp"

#include "finance/io/format.hpp"

TENON_PLUGIN(tenon::Registrar& r) {
  using namespace tenon::finance;
  // Formats: io/.
  r.format(csv_format());
  // Models: models/. Tasks: tasks/.
  // Tools: tools/.
}
