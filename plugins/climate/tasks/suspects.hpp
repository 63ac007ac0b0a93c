/// Values that look like missing ones that the file does not declare, or like errors: reported, never masked unasked.
#pragma once

#include <string>

#include "climate/tasks/field_series.hpp"

namespace tenon::climate {

/// One line with count, values, dates and places; empty where there is none. Suspect are figures such as -999 or 1e20 far from all others, and values
/// more than five times as far from the 1st and 99th of a hundred as these are from one another.
std::string suspects_text(const FieldSeries& series);

}  // namespace tenon::climate
