// Throws what is no std::exception.
#include "some_tool.hpp"

TENON_PLUGIN(tenon::Registrar&) {
  throw 13;
}
