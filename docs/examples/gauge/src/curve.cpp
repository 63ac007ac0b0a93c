/// A model: flow from level. [N, in] -> [N, out], a hidden layer that bends as rivers do.
#include "gauge.hpp"
#include "tenon/error.hpp"
#include "tenon/nn/layers.hpp"
#include "tenon/ops.hpp"

namespace gauge_plugin {
namespace {

using namespace tenon;

class Curve final : public nn::Module {
 public:
  // Layers are registered by name: names are what checkpoints use. Parameters are f32; initialise(seed) fills them.
  Curve(std::int64_t in, std::int64_t out, std::int64_t width, DType compute)
      : in_(in),
        compute_(compute),
        hidden_(add_module("hidden", std::make_shared<nn::Linear>(in, width))),
        head_(add_module("head", std::make_shared<nn::Linear>(width, out))) {
    // State that is saved but not trained is a buffer; a parameter of one's own says how it is filled.
    scale_ = add_parameter("scale", Shape{out}, {Init::Kind::constant, 1.0});
  }

  Tensor forward(const Tensor& x) override {
    if (x.rank() != 2 || x.size(1) != in_)
      throw_usage("curve", "input " + x.shape().str() + ", wanted is [N, " + std::to_string(in_) + "]");
    const Tensor h = discharge(hidden_->forward(x.to(compute_)).to(DType::f32));  // an op of our own: src/discharge.cpp
    return head_->forward(h.to(compute_)).to(DType::f32) * scale_;                // what leaves a model is f32
  }

 private:
  std::int64_t in_;
  DType compute_;
  std::shared_ptr<nn::Linear> hidden_, head_;
  Tensor scale_;
};

}  // namespace

ModelEntry curve_model() {
  ModelEntry entry;
  entry.name = "curve";
  entry.help = "rating curve: sums of powers 5/3";
  entry.params = {integer_param("width", 8, "powers in the sum", 1, 4096)};
  // The task tells how many channels come in and go out, and the run's precision.
  entry.make = [](const ParamValues& values, const ModelContext& context) -> nn::ModulePtr {
    return std::make_shared<Curve>(context.in_channels, context.out_channels, values.integer("width"), context.compute);
  };
  // Where `tenon plugin check` tries it. No spatial axes: inputs are [batch, in_channels], as the default makes them.
  ModelExample example;
  example.context.in_channels = 2;
  entry.example = example;
  return entry;
}

}  // namespace gauge_plugin
