/// What the forecasting models share: how a window is normalised before, and its forecast put back after.
///
/// Every model maps x [B, L, F] to [B, H, Q]: B windows of L steps with F features (feature 0 is the series itself, in the task's units), H
/// steps ahead, Q outputs a step (1: a point; else one a quantile or parameter of a distribution). Series are independent of each other
/// ("channel independence", Nie et al., ICLR 2023): a window of one series is one sample.
#pragma once

#include <string>

#include "tenon/nn/module.hpp"
#include "tenon/plugin.hpp"

namespace tenon::finance {

/// How a window of the series is normalised, and its forecast put back.
enum class WindowNorm {
  none,      ///< as it is
  last,      ///< its last value subtracted (NLinear, Zeng et al., AAAI 2023)
  instance,  ///< its mean subtracted, divided by its deviation (RevIN, Kim et al., ICLR 2022, without learned scale)
};
Param window_norm_param(const char* default_value);
WindowNorm window_norm_of(const ParamValues& values);

/// Sizes that a model is told by the task: L, H, F, Q.
struct SeriesSizes {
  std::int64_t look_back = 1, horizon = 1, features = 1, outputs = 1;
};
/// From ModelContext: spatial {L, H}, in_channels F, out_channels Q. Throws a usage error finance.model_context for other contexts.
SeriesSizes series_sizes(const ModelContext& context);

/// Of activations between normalising and restoring, which are in f32 always: what the context asks for of 16-bit types, else f32.
DType layer_type(const ModelContext& context);

/// Windows of 96 steps with two features, six steps ahead, three outputs.
ModelExample series_example();

/// A normalised window.
struct NormalisedWindow {
  Tensor x;       ///< [B, L, F]: feature 0 normalised, the others as they were
  Tensor centre;  ///< [B, 1, 1]; undefined for `none`
  Tensor spread;  ///< [B, 1, 1]; undefined unless `instance`
};
/// x [B, L, F].
NormalisedWindow normalise_window(const Tensor& x, WindowNorm norm);
/// y [B, H, Q] in normalised units -> in the window's.
Tensor restore_forecast(const Tensor& y, const NormalisedWindow& window);

}  // namespace tenon::finance
