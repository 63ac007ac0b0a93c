#include "climate/models/edges.hpp"
#include "climate/models/models.hpp"
#include "tenon/error.hpp"
#include "tenon/nn/blocks.hpp"
#include "tenon/nn/dropout.hpp"
#include "tenon/nn/ensemble.hpp"
#include "tenon/ops.hpp"

namespace tenon::climate {
namespace {

struct ResNetOptions {
  std::int64_t in = 1, out = 1, width = 64, blocks = 8, kernel = 3;
  double dropout = 0;
  nn::NormActivation norm;
  std::vector<PaddingMode> edges;
  DType compute = DType::f32;
};

/// A linear map of each point's channels that begins as 0: a network that corrects something begins by leaving it as it is.
class Head : public nn::Module {
 public:
  Head(std::int64_t in, std::int64_t out) {
    if (out < 1) throw_usage("climate.resnet", "a model of " + std::to_string(out) + " output channels gives nothing");
    weight_ = add_parameter("weight", {out, in}, {Init::Kind::constant, 0, in, out});
    bias_ = add_parameter("bias", {out}, {Init::Kind::constant, 0, in, out});
  }
  Tensor forward(const Tensor& x) override { return linear(x, weight_, bias_); }

 private:
  Tensor weight_, bias_;
};

/// Convolution, residual blocks with what comes before each convolution normalised and activated (He et al., ECCV 2016), a pointwise head.
/// Without normalisation these are the blocks of EDSR (Lim et al., CVPRW 2017).
class ResNet : public nn::Module {
 public:
  explicit ResNet(const ResNetOptions& o) : options_(o) {
    const nn::ConvEdges edges{o.edges, true};
    const std::vector<std::int64_t> kernel(2, o.kernel);
    first_ = add_module("first", std::make_shared<nn::Conv>(o.in, o.width, kernel, ConvOptions{}, true, edges));
    for (std::int64_t i = 0; i < o.blocks; ++i) {
      nn::ResNetBlockOptions block;
      block.in = block.out = o.width;
      block.kernel = o.kernel;
      block.pre_activation = true;
      block.norm = o.norm;
      block.edges = o.edges;
      blocks_.push_back(add_module("block" + std::to_string(i), std::make_shared<nn::ResNetBlock>(block)));
    }
    last_norm_ = add_module("last_norm", nn::norm_activation(o.width, o.norm));
    if (o.dropout > 0) dropout_ = add_module("dropout", std::make_shared<nn::Dropout>(o.dropout));
    last_ = add_module("last", std::make_shared<Head>(o.width, o.out));
  }
  Tensor forward(const Tensor& x) override {
    if (x.rank() != 4 || x.size(3) != options_.in)
      throw_usage("climate.resnet", "expected [N, latitude, longitude, " + std::to_string(options_.in) + "], got " + x.str());
    Tensor h = first_->forward(x.to(options_.compute));
    for (const auto& block : blocks_) h = block->forward(h);
    h = last_norm_->forward(h);
    if (dropout_) h = dropout_->forward(h);
    return last_->forward(h.to(DType::f32));
  }

 private:
  ResNetOptions options_;
  std::shared_ptr<nn::Conv> first_;
  std::shared_ptr<Head> last_;
  std::vector<std::shared_ptr<nn::ResNetBlock>> blocks_;
  nn::ModulePtr last_norm_;
  std::shared_ptr<nn::Dropout> dropout_;
};

}  // namespace

ModelEntry resnet_model() {
  ModelEntry entry;
  entry.name = "resnet";
  entry.help = "small residual convolutional network on grids of any size, each axis continued by its own rule";
  entry.params = ParamSpec{
      integer_param("width", 64, "channels between the blocks", 1, 1024),
      integer_param("blocks", 8, "residual blocks of two convolutions", 1, 256),
      integer_param("kernel", 3, "points a convolution spans along either axis; odd", 1, 15),
      text_param("norm", "none", "normalisation before each convolution", {"batch", "group", "instance", "layer", "none"}),
      text_param("activation", "relu", "activation before each convolution", {"relu", "leaky_relu", "elu", "gelu", "silu", "tanh"}),
      real_param("dropout", 0, "share of the last hidden values dropped while training", 0, 0.95),
      integer_param("members", 1, "networks trained side by side; their mean is the forecast", 1, 64),
  };
  add_edge_params(entry.params);
  entry.make = [](const ParamValues& v, const ModelContext& context) -> nn::ModulePtr {
    ResNetOptions o;
    o.in = context.in_channels;
    o.out = context.out_channels;
    o.width = v.integer("width");
    o.blocks = v.integer("blocks");
    o.kernel = v.integer("kernel");
    if (o.kernel % 2 == 0)
      throw Error(ErrorKind::usage, "climate.resnet", "model.kernel = " + std::to_string(o.kernel) + " is even", "give an odd number",
                  "model.kernel");
    o.dropout = v.real("dropout");
    o.norm.norm = v.text("norm");
    o.norm.activation = v.text("activation");
    o.edges = edge_modes(v);
    o.compute = context.compute;
    return nn::ensemble(v.integer("members"), [&] { return std::make_shared<ResNet>(o); });
  };
  entry.example = ModelExample{{.in_channels = 3, .out_channels = 2, .spatial = {12, 20}}, {}, {}};
  return entry;
}

}  // namespace tenon::climate
