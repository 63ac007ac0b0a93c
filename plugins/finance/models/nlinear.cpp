#include "finance/models/nlinear.hpp"

#include <cmath>
#include <vector>

#include "finance/models/series_model.hpp"
#include "tenon/error.hpp"
#include "tenon/nn/layers.hpp"
#include "tenon/ops.hpp"

namespace tenon::finance {
namespace {

struct NLinearOptions {
  SeriesSizes sizes;
  WindowNorm norm = WindowNorm::last;
  bool zero_start = false, bias = true, window = true;
  double reversion = -1;  ///< first rate k a step; negative: none
};

class NLinear final : public nn::Module {
 public:
  explicit NLinear(const NLinearOptions& o) : o_(o) {
    const std::int64_t in = o.sizes.look_back * o.sizes.features, out = o.sizes.horizon * o.sizes.outputs;
    if (o.window) {
      Init init;
      init.kind = Init::Kind::kaiming_uniform;
      init.value = std::sqrt(5.0);  // PyTorch's default for a linear layer: uniform within 1 / sqrt(fan_in)
      init.fan_in = in;
      init.fan_out = out;
      weight_ = add_parameter("weight", Shape{out, in}, o.zero_start ? Init{} : init);
      if (o.bias) bias_ = add_parameter("bias", Shape{out}, Init{});
    }
    if (o.reversion >= 0) {
      // k = exp(log_rate): positive whatever the optimiser does
      Init init;
      init.kind = Init::Kind::constant;
      init.value = std::log(std::max(o.reversion, 1e-8));
      log_rate_ = add_parameter("log_rate", Shape{1}, init);
      std::vector<float> steps;
      for (std::int64_t h = 1; h <= o.sizes.horizon; ++h) steps.push_back(float(h));
      steps_ = Tensor::from(steps, Shape{1, o.sizes.horizon, 1});
    }
  }

  Tensor forward(const Tensor& x) override {
    const std::int64_t b = x.size(0);
    const NormalisedWindow window = normalise_window(x, o_.norm);
    const Shape shape{b, o_.sizes.horizon, o_.sizes.outputs};
    Tensor y;
    if (o_.window) y = linear(window.x.reshape(Shape{b, x.size(1) * x.size(2)}), weight_, bias_).reshape(shape);
    if (y.defined()) y = restore_forecast(y, window);
    if (log_rate_.defined()) {
      const Tensor last = x.narrow(2, 0, 1).narrow(1, x.size(1) - 1, 1);
      const Tensor decay = expm1(neg(mul(exp(log_rate_), steps_)));
      const Tensor pull = mul(decay, last);  // [B, H, 1]
      y = y.defined() ? add(y, pull) : add(pull, last).expand(shape);
    }
    return y;
  }

 private:
  NLinearOptions o_;
  Tensor weight_, bias_, log_rate_, steps_;
};

}  // namespace

ModelEntry nlinear_model() {
  ModelEntry entry;
  entry.name = "nlinear";
  entry.help = "one linear map from a window to all steps ahead, shared by all series (NLinear)";
  entry.params = {
      window_norm_param("last"),
      boolean_param("zero_start", false, "begin at zero weights, the forecast `last value`; weight decay then shrinks towards it"),
      boolean_param("bias", true, "a constant a step ahead"),
      boolean_param("window", true, "use the window; false: only its last value, with reversion"),
      real_param("reversion", -1, "first rate, a step, at which forecasts return to the training mean; learned; negative: none", -1, 1, "1/step"),
  };
  entry.make = [](const ParamValues& values, const ModelContext& context) -> nn::ModulePtr {
    NLinearOptions o;
    o.sizes = series_sizes(context);
    o.norm = window_norm_of(values);
    o.zero_start = values.boolean("zero_start");
    o.bias = values.boolean("bias");
    o.window = values.boolean("window");
    o.reversion = values.real("reversion");
    if (!o.window && (o.reversion < 0 || o.sizes.outputs != 1))
      throw Error(ErrorKind::usage, "finance.model_options", "model.window = false leaves a model with nothing to learn, or no quantiles",
                  "set model.reversion to a first rate (0.001) for a point forecast, or model.window = true", "model.window");
    return std::make_shared<NLinear>(o);
  };
  entry.computes = {DType::f32};  // one product of few rows
  entry.example = series_example();
  return entry;
}

}  // namespace tenon::finance
