/// The model: PointPillars' encoder (Lang et al., CVPR 2019) and a U-Net over the grid of its pillars.
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "features.hpp"
#include "tenon/error.hpp"
#include "tenon/nn/layers.hpp"
#include "tenon/nn/unet.hpp"
#include "tenon/ops.hpp"
#include "tenon/plugin.hpp"

namespace driving_plugin {
namespace {

using namespace tenon;

/// [N, X, Y, P * kPointFeatures] -> logits [N, X, Y, classes]. Each point goes through the same linear layer, normalisation over its own
/// features and ReLU; the maximum over a pillar's places is the pillar's feature. Empty places are zeros, as in the paper: without a bias
/// they all become the normalisation's shift, one floor below every maximum, so no mask is needed. Where PointPillars keeps occupied
/// pillars only and scatters them to the grid, all cells are here from the start.
class PillarNet final : public nn::Module {
 public:
  struct Options {
    std::int64_t in = kPointFeatures, classes = 2, features = 16, width = 16, depth = 3;
    DType compute = DType::f32;
  };

  explicit PillarNet(const Options& o) : in_(o.in) {
    // Children are registered by name: names are what checkpoints use, so a name that changes makes older runs unreadable.
    point_ = add_module("point", std::make_shared<nn::Linear>(kPointFeatures, o.features, false));
    // Over the features of each point alone: statistics over a batch would be those of empty places, most of the grid.
    norm_ = add_module("point_norm", std::make_shared<nn::LayerNorm>(o.features));
    nn::UNetOptions unet;
    unet.in_channels = o.features;
    unet.classes = o.classes;
    unet.spatial_axes = 2;
    unet.compute = o.compute;
    unet.heads = 1;
    unet.widths.clear();
    for (std::int64_t stage = 0; stage < o.depth; ++stage) unet.widths.push_back(o.width << stage);
    grid_ = add_module("grid", std::make_shared<nn::UNet>(unet));
  }

  Tensor forward(const Tensor& x) override {
    if (x.rank() != 4 || x.size(3) != in_)
      throw_usage("pillars", "input " + x.shape().str() + ", wanted is [N, X, Y, " + std::to_string(in_) + "]");
    const std::int64_t most = in_ / kPointFeatures, pillars = x.size(1) * x.size(2);
    // Points of a pillar lie one after the other: the maximum over each pillar is a pooling along the list of all places.
    const Tensor points = relu(norm_->forward(point_->forward(x.reshape({x.size(0), pillars * most, kPointFeatures}))));
    return grid_->forward(max_pool(points, {most}, {most}).reshape({x.size(0), x.size(1), x.size(2), points.size(2)}));
  }

  std::int64_t size_divisor() const override { return grid_->size_divisor(); }

 private:
  std::int64_t in_;
  std::shared_ptr<nn::Linear> point_;
  std::shared_ptr<nn::LayerNorm> norm_;
  std::shared_ptr<nn::UNet> grid_;
};

/// Clouds of the example: a third of the places are taken, the others are zeros as the loader leaves them.
Tensor example_input(const ModelContext& context, std::int64_t batch, std::uint64_t seed) {
  const Random random(seed, 0);
  std::vector<float> values(static_cast<std::size_t>(batch * context.spatial.at(0) * context.spatial.at(1) * context.in_channels));
  constexpr auto kFeatures = static_cast<std::size_t>(kPointFeatures);
  for (std::size_t i = 0; i + kFeatures <= values.size(); i += kFeatures) {
    if (random.below(i, 3) != 0) continue;
    for (std::size_t k = 0; k + 1 < kFeatures; ++k) values[i + k] = random.normal(values.size() + i + k);
    values[i + kFeatures - 1] = 1;
  }
  return Tensor::from(values, Shape{batch, context.spatial[0], context.spatial[1], context.in_channels});
}

}  // namespace

ModelEntry pillars_model() {
  constexpr const char* kModelError = "driving.pillars";
  ModelEntry entry;
  entry.name = "pillars";
  entry.help = "PointPillars' encoder and a U-Net: classes of the cells of a grid from the points above them";
  entry.params = {integer_param("features", 16, "features of a point and of its pillar", 1, 256),
                  integer_param("width", 16, "channels of the U-Net's first stage; each further one has twice as many", 1, 256),
                  integer_param("depth", 3, "stages of the U-Net, each at half the resolution of the one before", 2, 6)};
  entry.make = [](const ParamValues& values, const ModelContext& context) -> nn::ModulePtr {
    PillarNet::Options o;
    o.in = context.in_channels;
    o.classes = context.out_channels;
    o.features = values.integer("features");
    o.width = values.integer("width");
    o.depth = values.integer("depth");
    o.compute = context.compute;
    if (context.in_channels < kPointFeatures || context.in_channels % kPointFeatures != 0)
      throw_usage("pillars",
                  std::to_string(context.in_channels) + " channels are no points of " + std::to_string(kPointFeatures) + " features");
    if (context.spatial.size() != 2) throw_usage("pillars", std::to_string(context.spatial.size()) + " spatial axes, wanted are 2");
    const std::int64_t divisor = std::int64_t{1} << (o.depth - 1);
    for (const std::int64_t cells : context.spatial) {
      if (cells % divisor == 0) continue;
      throw Error(ErrorKind::usage, kModelError,
                  std::to_string(cells) + " cells cannot be halved " + std::to_string(o.depth - 1) + " times",
                  "take a range of a multiple of " + std::to_string(divisor) + " pillars, or less depth", "model.depth");
    }
    return std::make_shared<PillarNet>(o);
  };
  // Where `tenon plugin check` can make and train it.
  ModelExample example;
  example.context.in_channels = 4 * kPointFeatures;
  example.context.out_channels = 5;
  example.context.spatial = {32, 32};
  example.input = example_input;
  entry.example = example;
  return entry;
}

}  // namespace driving_plugin
