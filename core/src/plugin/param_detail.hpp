/// What params.cpp and the registrar share about one declared parameter.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tenon/params.hpp"

namespace tenon {

/// What is wrong with the declaration itself: the default has another type, lies outside the range or the choices, or the
/// range is empty. One sentence; empty when sound.
std::string param_defect(const Param& p);

/// "an integer", "a list of numbers", ...
const char* wanted_text(ParamType type);

/// A value of that type from text; nothing when the text is not one as a whole.
std::optional<ParamValue> value_from_text(ParamType type, std::string_view text);

}  // namespace tenon
