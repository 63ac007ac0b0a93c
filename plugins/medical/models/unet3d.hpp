/// medical.unet3d: nnU-Net's plain 3D U-Net (core's nn::UNet) as a model that recipes can name.
#pragma once

#include "tenon/plugin.hpp"

namespace tenon::medical {

ModelEntry unet3d_model();

}  // namespace tenon::medical
