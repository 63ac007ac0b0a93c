#include "medical/models/unet3d.hpp"

#include <algorithm>

#include "tenon/error.hpp"
#include "tenon/nn/unet.hpp"

namespace tenon::medical {

ModelEntry unet3d_model() {
  ModelEntry entry;
  entry.name = "unet3d";
  entry.help = "3D U-Net: instance norm, leaky ReLU, strided convolutions, a head at every resolution (Isensee et al. 2021)";
  entry.params = ParamSpec{
      integer_param("width", 32, "channels of the finest stage, doubled from stage to stage", 1, 1024),
      integer_param("max_width", 320, "channels of a stage at most", 1, 4096),
      integer_param("stages", 4, "resolutions, the finest included; each further one halves every axis", 2, 9),
      integers_param("widths", {}, "channels of every stage, in place of width, max_width and stages", 1, 4096),
      real_param("slope", 0.01, "of the leaky ReLU", 0, 1),
  };
  entry.make = [](const ParamValues& v, const ModelContext& context) -> nn::ModulePtr {
    nn::UNetOptions options;
    options.in_channels = context.in_channels;
    options.classes = context.out_channels;
    options.compute = context.compute;
    options.heads = context.supervised;
    options.slope = v.real("slope");
    options.spatial_axes = 3;
    options.widths = v.integers("widths");
    if (options.widths.empty())
      for (std::int64_t i = 0; i < v.integer("stages"); ++i)
        options.widths.push_back(std::min(v.integer("max_width"), v.integer("width") << i));
    if (options.widths.size() < 2)
      throw Error(ErrorKind::usage, "medical.unet3d", "model.widths: one stage", "give at least two, e.g. widths = [16, 32, 64, 128]");
    const std::int64_t divisor = std::int64_t(1) << (options.widths.size() - 1);
    for (auto n : context.spatial)
      if (n % divisor)
        throw Error(ErrorKind::usage, "medical.unet3d",
                    "a patch of " + std::to_string(n) + " voxels cannot be halved " + std::to_string(options.widths.size() - 1) + " times",
                    "make patch.size a multiple of " + std::to_string(divisor) + ", or use fewer stages");
    return std::make_shared<nn::UNet>(std::move(options));
  };
  entry.example = ModelExample{{.in_channels = 1, .out_channels = 3, .spatial = {16, 16, 16}, .supervised = 1}, {}, {}};
  return entry;
}

}  // namespace tenon::medical
