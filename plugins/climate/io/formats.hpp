/// The plugin's format as the registry wants it.
#pragma once

#include "tenon/plugin.hpp"

namespace tenon::climate {

FormatEntry netcdf_format();

}  // namespace tenon::climate
