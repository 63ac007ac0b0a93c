/// The plugin's file format: CSV as a labelled array of its number columns.
#pragma once

#include "tenon/plugin.hpp"

namespace tenon::finance {

FormatEntry csv_format();

}  // namespace tenon::finance
