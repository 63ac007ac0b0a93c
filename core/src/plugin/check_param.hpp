/// What is wrong with a declaration of a parameter itself.
#pragma once

#include <string>

#include "tenon/params.hpp"

namespace tenon {

/// Empty when sound; else one sentence: the default has another type, lies outside the range or the choices, or the
/// range is empty.
std::string param_defect(const Param& p);

}  // namespace tenon
