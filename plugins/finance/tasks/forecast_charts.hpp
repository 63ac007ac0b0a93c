/// The charts of a forecast's report: error by step ahead beside the references, forecasts with their bands, calibration.
#pragma once

#include <cstdint>
#include <vector>

#include "finance/tasks/panel_scorer.hpp"
#include "finance/tasks/reference_forecasts.hpp"
#include "tenon/task.hpp"

namespace tenon::finance {

/// One forecast to be shown, in the series' own units.
struct ForecastPicture {
  std::int64_t series = 0, origin = 0;  ///< row of the first step ahead
  std::vector<double> points, at_quantiles;
};

/// `references` and `reference_scores` go together. At most `pictures` series are shown.
std::vector<Chart> forecast_charts(const ForecastSettings& settings, const SeriesData& data, const PanelScorer& model,
                                   const std::vector<PanelScorer>& reference_scores, const std::vector<ReferencePtr>& references,
                                   const std::vector<ForecastPicture>& shown, std::size_t pictures);

}  // namespace tenon::finance
