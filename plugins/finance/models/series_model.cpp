#include "finance/models/series_model.hpp"

#include "tenon/error.hpp"
#include "tenon/ops.hpp"

namespace tenon::finance {
namespace {

constexpr double kSpreadFloor = 1e-5;  ///< added to the variance, as in RevIN: a window of one price has none

/// The window with feature 0 replaced.
Tensor with_series(const Tensor& x, const Tensor& series) {
  const std::int64_t features = x.size(2);
  return features == 1 ? series : concat({series, x.narrow(2, 1, features - 1)}, 2);
}

}  // namespace

Param window_norm_param(const char* default_value) {
  return text_param("normalise", default_value,
                    "window of the series before the model, undone after it: last (last value subtracted), instance (mean and deviation), none",
                    {"none", "last", "instance"});
}

WindowNorm window_norm_of(const ParamValues& values) {
  const std::string& name = values.text("normalise");
  return name == "none" ? WindowNorm::none : name == "last" ? WindowNorm::last : WindowNorm::instance;
}

SeriesSizes series_sizes(const ModelContext& context) {
  if (context.spatial.size() != 2 || context.spatial[0] < 1 || context.spatial[1] < 1 || context.in_channels < 1 || context.out_channels < 1)
    throw Error(ErrorKind::usage, "finance.model_context", "this model reads windows of series and forecasts steps ahead; the task gives neither",
                "use it with finance.forecast or finance.volatility");
  return {context.spatial[0], context.spatial[1], context.in_channels, context.out_channels};
}

DType layer_type(const ModelContext& context) {
  return size_of(context.compute) == 2 ? context.compute : DType::f32;
}

ModelExample series_example() {
  ModelExample e;
  e.context.in_channels = 2;
  e.context.out_channels = 3;
  e.context.spatial = {96, 6};
  e.input = [](const ModelContext& c, std::int64_t batch, std::uint64_t seed) { return random_normal({batch, c.spatial[0], c.in_channels}, seed, 0); };
  e.output = [](const ModelContext& c, std::int64_t batch) { return Shape{batch, c.spatial[1], c.out_channels}; };
  return e;
}

NormalisedWindow normalise_window(const Tensor& x, WindowNorm norm) {
  if (norm == WindowNorm::none) return {x, {}, {}};
  const Tensor series = x.narrow(2, 0, 1);
  NormalisedWindow window;
  if (norm == WindowNorm::last) {
    window.centre = series.narrow(1, x.size(1) - 1, 1);
    window.x = with_series(x, sub(series, window.centre));
  } else {
    // statistics are the window's own, not something to learn through
    window.centre = mean(series, {1}, true).detach();
    window.spread = sqrt(add(var(series, {1}, true), kSpreadFloor)).detach();
    window.x = with_series(x, div(sub(series, window.centre), window.spread));
  }
  return window;
}

Tensor restore_forecast(const Tensor& y, const NormalisedWindow& window) {
  Tensor restored = y;
  if (window.spread.defined()) restored = mul(restored, window.spread);
  if (window.centre.defined()) restored = add(restored, window.centre);
  return restored;
}

}  // namespace tenon::finance
