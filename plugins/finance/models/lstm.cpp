#include "finance/models/lstm.hpp"

#include "finance/models/series_model.hpp"
#include "tenon/nn/initialisers.hpp"
#include "tenon/nn/layers.hpp"
#include "tenon/nn/recurrent.hpp"

namespace tenon::finance {
namespace {

struct LstmOptions {
  SeriesSizes sizes;
  WindowNorm norm = WindowNorm::last;
  std::int64_t hidden = 32, layers = 1;
  double dropout = 0;
  DType compute = DType::f32;
};

class LstmForecaster final : public nn::Module {
 public:
  explicit LstmForecaster(const LstmOptions& o) : o_(o) {
    nn::RecurrentStackOptions stack;
    stack.layers = o.layers;
    stack.dropout = o.dropout;
    lstm_ = add_module("lstm", std::make_shared<nn::Lstm>(o.sizes.features, o.hidden, stack));
    dropout_ = add_module("dropout", std::make_shared<nn::Dropout>(o.dropout));
    head_ = add_module("head", std::make_shared<nn::Linear>(o.hidden, o.sizes.horizon * o.sizes.outputs));
  }

  Tensor forward(const Tensor& x) override {
    const NormalisedWindow window = normalise_window(x, o_.norm);
    const Tensor states = lstm_->forward(window.x.to(o_.compute));
    const Tensor last = states.select(1, x.size(1) - 1);
    const Tensor y = head_->forward(dropout_->forward(last)).to(DType::f32).reshape(Shape{x.size(0), o_.sizes.horizon, o_.sizes.outputs});
    return restore_forecast(y, window);
  }

 private:
  LstmOptions o_;
  std::shared_ptr<nn::Lstm> lstm_;
  std::shared_ptr<nn::Dropout> dropout_;
  std::shared_ptr<nn::Linear> head_;
};

}  // namespace

ModelEntry lstm_model() {
  ModelEntry entry;
  entry.name = "lstm";
  entry.help = "LSTM layers over the window; the last state gives all steps ahead";
  entry.params = {
      window_norm_param("last"),
      integer_param("hidden", 32, "width of the state", 1, 4096),
      integer_param("layers", 1, "LSTM layers, one on the other", 1, 16),
      real_param("dropout", 0, "share of a layer's outputs, and of the last state, that training drops", 0, 0.95),
  };
  entry.make = [](const ParamValues& values, const ModelContext& context) -> nn::ModulePtr {
    return std::make_shared<LstmForecaster>(
        LstmOptions{series_sizes(context), window_norm_of(values), values.integer("hidden"), values.integer("layers"), values.real("dropout"), layer_type(context)});
  };
  entry.example = series_example();
  return entry;
}

}  // namespace tenon::finance
