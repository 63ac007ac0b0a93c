/// The climate plugin's models: fields on a latitude-longitude (or other rectilinear) grid in, fields on the same grid out.
///
/// All take x [N, latitude, longitude, in] and give [N, latitude, longitude, out] of the same sizes, whatever these are.
#pragma once

#include "tenon/plugin.hpp"

namespace tenon::climate {

ModelEntry fno2d_model();   ///< fno2d.cpp
ModelEntry unet_model();    ///< unet.cpp
ModelEntry resnet_model();  ///< resnet.cpp

}  // namespace tenon::climate
