/// The finance plugin's table of contents.
#include "tenon/plugin.hpp"

TENON_PLUGIN([[maybe_unused]] tenon::Registrar& r) {
  // Formats: io/.
  // Models: models/. Tasks: tasks/.
  // Tools: tools/.
}
