/// What the parts of the plugin share.
#pragma once

#include "tenon/plugin.hpp"

namespace gauge_plugin {

tenon::FormatEntry series_format();  // src/series.cpp
tenon::ModelEntry curve_model();     // src/curve.cpp
tenon::TaskEntry rating_task();      // src/rating.cpp
tenon::ToolEntry summary_tool();     // src/summary.cpp

/// Manning's law without its constants: max(x, 0)^(5/3), of any shape; f32. Differentiable. src/discharge.cpp
tenon::Tensor discharge(const tenon::Tensor& x);

}  // namespace gauge_plugin
