/// Scores of forecast fields against the truth, weighed by area, with intervals over blocks of times.
///
/// RMSE is the root after the mean over times; ACC is uncentred, by time, then averaged; bias is forecast minus truth. Missing points are left
/// out of both fields; a time without any valid point counts for nothing.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tenon/metrics.hpp"

namespace tenon::climate {

/// Per time: mean square error, bias, and the anomalies' correlation (NaN without a climatology).
struct FieldErrors {
  std::vector<double> mse, bias, acc;
};

/// All fields [times, points], row major; `climatology` may be empty. `weights`, one a point. Parallel over times, sums in fixed order.
FieldErrors field_errors(std::span<const double> forecast, std::span<const double> truth, std::span<const double> climatology, std::span<const double> weights);

struct FieldScores {
  std::int64_t times = 0;  ///< that counted
  Interval rmse, acc, bias;
};
/// Means over times with block-bootstrap intervals of 95 %: blocks of `block` consecutive times around a circle.
FieldScores scores_of(const FieldErrors& errors, std::int64_t block, std::int64_t resamples = 2000, std::uint64_t seed = 0);

}  // namespace tenon::climate
