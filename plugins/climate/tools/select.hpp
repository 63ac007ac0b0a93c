/// Parts of a variable by its coordinates.
#pragma once

#include <vector>

#include "tenon/labelled.hpp"

namespace tenon::climate {

/// Rows between two latitudes, both inside. All throw climate.nothing_selected where nothing is left.
LabelledArray select_latitudes(const LabelledArray& array, double south, double north);
/// Meridians from `west` eastwards to `east`, both inside, modulo 360: (350, 20) and (-10, 20) are one. Across the file's seam the
/// longitudes go on past 180 or 360, so that they stay in order.
LabelledArray select_longitudes(const LabelledArray& array, double west, double east);
/// Levels by their values, in the order given.
LabelledArray select_levels(const LabelledArray& array, const std::vector<double>& levels);

}  // namespace tenon::climate
