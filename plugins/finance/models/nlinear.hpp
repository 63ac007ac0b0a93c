/// finance.nlinear: one linear map from a window to all steps ahead, shared by all series.
///
/// NLinear (Zeng et al., AAAI 2023): y_h = last + sum_l w_hl (x_l - last) + b_h. Two extensions for series that are close to random walks:
/// with `zero_start` training begins at w = 0, which is the forecast "last value", so that weight decay and few steps shrink towards it;
/// with `reversion` the forecast returns to the level 0 of the standardised series (its training mean) at a learned rate k,
/// y_h += (exp(-k h) - 1) last, one number for all series and steps (Ornstein and Uhlenbeck 1930).
#pragma once

#include "tenon/plugin.hpp"

namespace tenon::finance {
ModelEntry nlinear_model();
}
