#include "finance/tasks/forecast_charts.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace tenon::finance {
namespace {

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%g %%", 100 * share);
  return text;
}

std::vector<double> counted(std::int64_t from, std::int64_t n) {
  std::vector<double> x;
  for (std::int64_t i = 0; i < n; ++i) x.push_back(double(from + i));
  return x;
}

/// Error by step ahead, as a share of the last value's: below 1 is skill.
Chart skill_chart(const ForecastSettings& s, const PanelScorer& model, const std::vector<PanelScorer>& scores, const std::vector<ReferencePtr>& references) {
  Chart chart{"Error by step ahead", "step ahead", "MSE / MSE of " + references.front()->name(), {}, "below 1: better than the last value"};
  const auto repeat = scores.front().mse_by_step();
  auto relative = [&](const PanelScorer& of) {
    auto y = of.mse_by_step();
    for (std::size_t k = 0; k < y.size(); ++k) y[k] /= repeat[k];
    return y;
  };
  chart.curves.push_back({"model", counted(1, s.horizon()), relative(model)});
  for (std::size_t r = 0; r < references.size(); ++r) {
    Curve curve{references[r]->name(), counted(1, s.horizon()), relative(scores[r])};
    curve.reference = true;
    const double largest = *std::max_element(curve.y.begin(), curve.y.end());
    if (std::isfinite(largest) && largest < 5) chart.curves.push_back(std::move(curve));  // one far off would flatten the rest
  }
  return chart;
}

Chart band_chart(const ForecastSettings& s, const SeriesData& data, const ForecastPicture& p) {
  const std::string& name = data.scale.names[std::size_t(p.series)];
  Chart chart;
  chart.title = name + " from " + (data.panel.has_calendar ? time_text(data.panel.times[std::size_t(p.origin)]) : "row " + std::to_string(p.origin + 1));
  chart.x = "steps from the origin";
  chart.y = name;
  const std::int64_t steps = std::int64_t(p.points.size());
  const std::int64_t history = std::min({p.origin, std::max<std::int64_t>(s.look_back, steps), std::int64_t(2) * steps + 20});
  Curve came{"series", counted(1 - history, history + steps), {}};
  for (std::int64_t t = p.origin - history; t < p.origin + steps; ++t) came.y.push_back(data.panel.at(t, p.series));
  came.reference = true;
  chart.curves.push_back(std::move(came));
  Curve forecast{s.quantiles.empty() ? "forecast" : "median", counted(1, steps), p.points};
  if (const std::size_t q = s.quantiles.size(); q > 1) {
    for (std::size_t k = 0; k < std::size_t(steps); ++k) {
      forecast.low.push_back(p.at_quantiles[k * q]);
      forecast.high.push_back(p.at_quantiles[k * q + q - 1]);
    }
    chart.note = "band: " + percent(s.quantiles.front()) + " to " + percent(s.quantiles.back()) + " quantile";
  }
  chart.curves.push_back(std::move(forecast));
  return chart;
}

Chart calibration_chart(const ForecastSettings& s, const PanelScorer& model) {
  Chart chart{"Calibration", "quantile", "share of what came at or below it", {}, "on the dashed line: calibrated"};
  for (std::size_t h = 0; h < s.horizons.size(); ++h)
    chart.curves.push_back({std::to_string(s.horizons[h]) + " steps", s.quantiles, model.pooled(h).pit()});
  Curve ideal{"calibrated", {0, 1}, {0, 1}};
  ideal.reference = true;
  chart.curves.push_back(std::move(ideal));
  return chart;
}

}  // namespace

std::vector<Chart> forecast_charts(const ForecastSettings& s, const SeriesData& data, const PanelScorer& model, const std::vector<PanelScorer>& reference_scores,
                                   const std::vector<ReferencePtr>& references, const std::vector<ForecastPicture>& shown, std::size_t pictures) {
  std::vector<Chart> charts;
  if (s.horizon() > 1 && model.origins(s.horizons.size() - 1) > 0) charts.push_back(skill_chart(s, model, reference_scores, references));
  if (s.quantiles.size() > 1) charts.push_back(calibration_chart(s, model));
  for (std::size_t i = 0; i < std::min(shown.size(), pictures); ++i) charts.push_back(band_chart(s, data, shown[i]));
  return charts;
}

}  // namespace tenon::finance
