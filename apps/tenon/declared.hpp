/// What a declared parameter says of itself, as help, reference and completion write it.
#pragma once

#include <string>

#include "tenon/params.hpp"

namespace tenon::command {

/// "time_order" as an option is called: "time-order".
std::string dashed(std::string name);
/// "N", "TEXT,...", or the choices between bars; empty for a switch.
std::string type_text(const Param& p);
/// The default as one would write it; empty where there is none.
std::string default_text(const Param& p);
/// "0 to 1", "at least 2", "at most 9"; empty where all is allowed.
std::string range_text(const Param& p);
bool is_list(ParamType type);

}  // namespace tenon::command
