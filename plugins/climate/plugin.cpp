/// The climate plugin's table of contents.
#include "tenon/plugin.hpp"

#include "climate/io/formats.hpp"

TENON_PLUGIN(tenon::Registrar& r) {
  using namespace tenon::climate;
  // Formats: io/formats.cpp.
  r.format(netcdf_format());
  // Models: models/. Tasks: tasks/.
  // Tools: tools/.
}
