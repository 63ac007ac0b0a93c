#include <algorithm>

#include "climate/models/edges.hpp"
#include "climate/models/models.hpp"
#include "tenon/error.hpp"
#include "tenon/nn/ensemble.hpp"
#include "tenon/nn/unet.hpp"

namespace tenon::climate {
namespace {

/// nn::UNet for grids of any size: the field is continued by the edges' rules to the next size that halves evenly, and cut again.
class GridUNet : public nn::Module {
 public:
  explicit GridUNet(const nn::UNetOptions& options) : edges_(options.edges) { net_ = add_module("unet", std::make_shared<nn::UNet>(options)); }
  Tensor forward(const Tensor& x) override {
    if (x.rank() != 4) throw_usage("climate.unet", "expected [N, latitude, longitude, channels], got " + x.str());
    const std::int64_t divisor = net_->size_divisor();
    std::vector<AxisPadding> padding;
    for (int a = 0; a < 2; ++a) {
      const std::int64_t extra = (divisor - x.size(a + 1) % divisor) % divisor;
      if (extra) padding.push_back({a + 1, {extra / 2, edges_[std::size_t(a)]}, {extra - extra / 2, edges_[std::size_t(a)]}});
    }
    if (padding.empty()) return net_->forward(x);
    Tensor y = net_->forward(pad_axes(x, padding));
    for (const AxisPadding& p : padding) y = y.narrow(p.axis, p.before.size, x.size(p.axis));
    return y.contiguous();
  }

 private:
  std::vector<PaddingMode> edges_;
  std::shared_ptr<nn::UNet> net_;
};

}  // namespace

ModelEntry unet_model() {
  ModelEntry entry;
  entry.name = "unet";
  entry.help = "2D U-Net on grids of any size, each axis continued by its own rule (circular in longitude)";
  entry.params = ParamSpec{
      integer_param("width", 32, "channels of the finest stage, doubled from stage to stage", 1, 1024),
      integer_param("max_width", 256, "channels of a stage at most", 1, 4096),
      integer_param("stages", 3, "resolutions, the finest included; each further one halves both axes", 2, 8),
      text_param("norm", "group", "normalisation after each convolution", {"batch", "group", "instance", "layer", "none"}),
      text_param("activation", "gelu", "activation after each normalisation", {"relu", "leaky_relu", "elu", "gelu", "silu", "tanh"}),
      integer_param("members", 1, "networks trained side by side; their mean is the forecast", 1, 64),
  };
  add_edge_params(entry.params);
  entry.make = [](const ParamValues& v, const ModelContext& context) -> nn::ModulePtr {
    nn::UNetOptions options;
    options.in_channels = context.in_channels;
    options.classes = context.out_channels;
    options.compute = context.compute;
    options.spatial_axes = 2;
    options.heads = 1;
    options.norm = v.text("norm");
    options.activation = v.text("activation");
    options.edges = edge_modes(v);
    options.widths.clear();
    for (std::int64_t i = 0; i < v.integer("stages"); ++i) options.widths.push_back(std::min(v.integer("max_width"), v.integer("width") << i));
    const std::int64_t divisor = std::int64_t(1) << (options.widths.size() - 1);
    for (auto n : context.spatial)
      if (n < 2 * divisor)
        throw Error(ErrorKind::usage, "climate.unet",
                    "a grid of " + std::to_string(n) + " points cannot be halved " + std::to_string(options.widths.size() - 1) + " times",
                    "use fewer stages", "model.stages");
    return nn::ensemble(v.integer("members"), [&] { return std::make_shared<GridUNet>(options); });
  };
  entry.example = ModelExample{{.in_channels = 3, .out_channels = 2, .spatial = {12, 20}}, {}, {}};
  return entry;
}

}  // namespace tenon::climate
