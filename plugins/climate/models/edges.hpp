/// What a convolution reads beyond the edges of a latitude-longitude field: parameters that the models share.
#pragma once

#include <vector>

#include "tenon/padding.hpp"
#include "tenon/params.hpp"

namespace tenon::climate {

/// Adds "latitude" and "longitude": "zero", "edge", "reflect" or "circular".
void add_edge_params(ParamSpec& spec);
/// For spatial axes (latitude, longitude).
std::vector<PaddingMode> edge_modes(const ParamValues& values);

}  // namespace tenon::climate
