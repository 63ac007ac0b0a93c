/// The climate plugin's table of contents.
#include "tenon/plugin.hpp"

TENON_PLUGIN([[maybe_unused]] tenon::Registrar& r) {
  // Formats: io/formats.cpp.
  // Models: models/. Tasks: tasks/.
  // Tools: tools/.
}
