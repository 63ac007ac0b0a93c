/// The genomics plugin's table of contents.
#include "tenon/plugin.hpp"

TENON_PLUGIN([[maybe_unused]] tenon::Registrar& r) {
  // Models: models/. Tasks: tasks/. Tools: tools/.
}
