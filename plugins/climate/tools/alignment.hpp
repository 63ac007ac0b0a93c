/// Two variables on the same places: axes matched by their coordinates, whatever their order, and values in one unit.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tenon/labelled.hpp"

namespace tenon::climate {

/// Brings `order` of axes to the front, in that order; the others follow as they lie.
LabelledArray arranged(LabelledArray array, const std::vector<int>& order);

/// Positions in `offered` of each place of `wanted`: latitudes, longitudes modulo 360, levels in either's unit, names. Throws climate.grid for a place
/// that is not there, with both axes; `offerer` and `wanter` say whose they are ("the climatology", "the input").
std::vector<std::int64_t> places_in(const Axis& offered, const Axis& wanted, const std::string& offerer, const std::string& wanter);

/// `climatology` with its time first and the places of `array` (its time apart) in their order, in `array`'s unit; it may cover more. Throws climate.grid
/// for places that it lacks and climate.units where the units measure different things.
LabelledArray aligned_climatology(const LabelledArray& climatology, const LabelledArray& array);

}  // namespace tenon::climate
