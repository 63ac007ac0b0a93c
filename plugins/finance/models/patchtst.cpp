#include "finance/models/patchtst.hpp"

#include <vector>

#include "finance/models/series_model.hpp"
#include "tenon/error.hpp"
#include "tenon/indexing.hpp"
#include "tenon/nn/attention.hpp"
#include "tenon/nn/layers.hpp"

namespace tenon::finance {
namespace {

struct PatchOptions {
  SeriesSizes sizes;
  WindowNorm norm = WindowNorm::instance;
  std::int64_t patch = 16, stride = 8, layers = 3;
  double head_dropout = 0;
  DType compute = DType::f32;
  nn::TransformerOptions transformer;
};

class PatchTst final : public nn::Module {
 public:
  explicit PatchTst(const PatchOptions& o) : o_(o), patches_((o.sizes.look_back - o.patch) / o.stride + 2) {
    const std::int64_t width = o.transformer.channels;
    std::vector<std::int64_t> places;
    for (std::int64_t p = 0; p < patches_; ++p)
      for (std::int64_t i = 0; i < o.patch; ++i) places.push_back(std::min(p * o.stride + i, o.sizes.look_back - 1));  // the end repeats the last
    places_ = Tensor::from(places, Shape{patches_, o.patch});
    embed_ = add_module("embed", std::make_shared<nn::Linear>(o.patch * o.sizes.features, width));
    Init position;
    position.kind = Init::Kind::uniform;
    position.value = 0.02;
    position_ = add_parameter("position", Shape{patches_, width}, position);
    dropout_ = add_module("dropout", std::make_shared<nn::Dropout>(o.transformer.dropout));
    encoder_ = add_module("encoder", std::make_shared<nn::TransformerEncoder>(o.layers, o.transformer, o.transformer.norm_first));
    head_dropout_ = add_module("head_dropout", std::make_shared<nn::Dropout>(o.head_dropout));
    head_ = add_module("head", std::make_shared<nn::Linear>(patches_ * width, o.sizes.horizon * o.sizes.outputs));
  }

  Tensor forward(const Tensor& x) override {
    const std::int64_t b = x.size(0), width = o_.transformer.channels;
    const NormalisedWindow window = normalise_window(x, o_.norm);
    const Tensor patches = index_select(window.x, 1, places_).reshape(Shape{b, patches_, o_.patch * o_.sizes.features});
    const Tensor embedded = dropout_->forward(add(embed_->forward(patches.to(o_.compute)), position_.to(o_.compute)));
    const Tensor features = encoder_->forward(embedded).reshape(Shape{b, patches_ * width});
    const Tensor y = head_->forward(head_dropout_->forward(features)).to(DType::f32).reshape(Shape{b, o_.sizes.horizon, o_.sizes.outputs});
    return restore_forecast(y, window);
  }

 private:
  PatchOptions o_;
  std::int64_t patches_;
  Tensor places_, position_;
  std::shared_ptr<nn::Linear> embed_, head_;
  std::shared_ptr<nn::Dropout> dropout_, head_dropout_;
  std::shared_ptr<nn::TransformerEncoder> encoder_;
};

}  // namespace

ModelEntry patchtst_model() {
  ModelEntry entry;
  entry.name = "patchtst";
  entry.help = "transformer over patches of the window (PatchTST)";
  entry.params = {
      window_norm_param("instance"),
      integer_param("patch", 16, "steps of a patch", 1, 4096),
      integer_param("stride", 8, "steps from one patch to the next", 1, 4096),
      integer_param("width", 16, "features of a patch; a multiple of heads", 1, 4096),
      integer_param("heads", 4, "attention heads", 1, 256),
      integer_param("feedforward", 128, "features inside a layer's second half", 1, 65536),
      integer_param("layers", 3, "encoder layers", 1, 64),
      boolean_param("norm_first", false, "normalise before each half of a layer, not after it"),
      real_param("dropout", 0.3, "share of features that training drops", 0, 0.95),
      real_param("head_dropout", 0, "share of features before the last map that training drops", 0, 0.95),
  };
  entry.make = [](const ParamValues& values, const ModelContext& context) -> nn::ModulePtr {
    PatchOptions o;
    o.sizes = series_sizes(context);
    o.compute = layer_type(context);
    o.norm = window_norm_of(values);
    o.patch = values.integer("patch");
    o.stride = values.integer("stride");
    o.layers = values.integer("layers");
    o.head_dropout = values.real("head_dropout");
    o.transformer.channels = values.integer("width");
    o.transformer.heads = values.integer("heads");
    o.transformer.feedforward = values.integer("feedforward");
    o.transformer.dropout = values.real("dropout");
    o.transformer.activation = nn::FeedForwardActivation::gelu;
    o.transformer.norm_first = values.boolean("norm_first");
    if (o.patch > o.sizes.look_back)
      throw Error(ErrorKind::usage, "finance.model_options",
                  "model.patch is " + std::to_string(o.patch) + " steps, the window has " + std::to_string(o.sizes.look_back),
                  "make model.patch smaller or window.look_back larger", "model.patch");
    if (o.transformer.channels % o.transformer.heads != 0)
      throw Error(ErrorKind::usage, "finance.model_options",
                  "model.width is " + std::to_string(o.transformer.channels) + ", no multiple of " + std::to_string(o.transformer.heads) + " heads",
                  "choose model.width as a multiple of model.heads", "model.width");
    return std::make_shared<PatchTst>(o);
  };
  entry.example = series_example();
  return entry;
}

}  // namespace tenon::finance
