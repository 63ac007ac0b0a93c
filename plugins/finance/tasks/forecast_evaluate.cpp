#include <algorithm>
#include <cmath>
#include <cstdio>

#include "finance/scores/diebold_mariano.hpp"
#include "finance/tasks/forecast.hpp"
#include "finance/tasks/forecast_charts.hpp"
#include "finance/tasks/panel_scorer.hpp"
#include "finance/tasks/reference_forecasts.hpp"
#include "finance/tasks/window_runner.hpp"
#include "tenon/error.hpp"
#include "tenon/kernel.hpp"

namespace tenon::finance {
namespace {

std::vector<ReferencePtr> references_of(const ForecastSettings& s) {
  std::vector<ReferencePtr> list;
  list.push_back(repeat_forecast());
  list.push_back(seasonal_naive_forecast(s.season));
  list.push_back(random_walk_forecast(s.walk_window, s.quantiles.empty(), s.walk_logarithms, s.quantiles));
  return list;
}

void score_reference(const ReferenceForecast& reference, const SeriesData& data, PanelScorer& scorer, std::size_t quantiles) {
  parallel_for(data.series(), [&](std::int64_t i) {
    const std::vector<double> series = data.panel.series(i);
    std::vector<double> points, at_quantiles;
    for (std::size_t p = 0; p < scorer.origins().size(); ++p) {
      const std::size_t steps = std::size_t(scorer.steps_at(std::int64_t(p)));
      points.resize(steps);
      at_quantiles.resize(steps * quantiles);
      reference.forecast(std::span<const double>(series).first(std::size_t(scorer.origins()[p])), points, at_quantiles);
      scorer.add(i, std::int64_t(p), points, at_quantiles);
    }
  });
}

std::string compared(const PanelScorer& model, const PanelScorer& other, const std::string& name, const ForecastSettings& s) {
  std::string line;
  for (std::size_t h = 0; h < s.horizons.size(); ++h) {
    if (model.origins(h) < 2) continue;
    const std::int64_t steps = (s.horizons[h] + s.origin_step - 1) / s.origin_step, n = model.origins(h);
    const auto dm = diebold_mariano(model.by_origin(0, h), other.by_origin(0, h), steps);
    const std::string part = (line.empty() ? "H " : "; H ") + std::to_string(s.horizons[h]) + ": ";
    if (std::isnan(dm.statistic)) {
      line += part + "- (" + std::to_string(n) + " origins: more than " + std::to_string(steps) + " are needed)";
      continue;
    }
    char text[96];
    std::snprintf(text, sizeof text, "t %.2f, p %.3f%s", dm.statistic, dm.p_value, dm.bartlett ? " (Bartlett)" : "");
    line += part + text;
    if (n < 2 * steps) line += " (weak: " + std::to_string(n) + " origins, fewer than two windows)";
  }
  return line.empty() ? line : "against " + name + ": " + line;
}

}  // namespace

Evaluation ForecastTask::evaluate(nn::Module& model, const std::string& split, int pictures, const Monitor& monitor) {
  const SeriesData& data = this->data();
  const ForecastSettings& s = settings_;
  PanelScorer scorer(s, data, split);
  const std::int64_t n = data.series(), horizon = s.horizon(), outputs = s.outputs();
  const std::size_t quantiles = s.quantiles.size(), middle = quantiles ? median_place(s.quantiles) : 0;
  if (scorer.origins().empty())
    throw Error(ErrorKind::data, "finance.rows", "the split '" + split + "' holds no forecast of " + std::to_string(s.horizons.front()) + " steps",
                "make that part longer or window.horizons shorter", file().string());

  std::vector<double> points(std::size_t(horizon), 0), at_quantiles(std::size_t(horizon) * quantiles, 0);
  std::vector<ForecastPicture> shown;
  const std::int64_t last_whole = std::max<std::int64_t>(scorer.origins(s.horizons.size() - 1), 1) - 1;
  run_windows(
      model, {s.look_back, 1, horizon, outputs, std::max<std::int64_t>(256 / n, 1) * n}, std::int64_t(scorer.origins().size()) * n,
      [&](std::int64_t i, std::span<float> window) {
        const std::int64_t origin = scorer.origins()[std::size_t(i / n)];
        std::copy_n(windows_[std::size_t(i % n)].data() + origin - s.look_back, s.look_back, window.data());
      },
      [&](std::int64_t i, std::span<const float> forecast) {
        const std::size_t series = std::size_t(i % n);
        for (std::size_t k = 0; k < std::size_t(horizon); ++k) {
          if (quantiles == 0) {
            points[k] = data.scale.from_model(series, double(forecast[k]));
            continue;
          }
          const std::span<double> step = std::span<double>(at_quantiles).subspan(k * quantiles, quantiles);
          for (std::size_t q = 0; q < quantiles; ++q) step[q] = data.scale.from_model(series, double(forecast[k * quantiles + q]));
          sort_quantiles(step);
          points[k] = step[middle];
        }
        for (double p : points)
          if (!std::isfinite(p))
            throw Error(ErrorKind::data, "finance.forecast_not_finite", "the model's forecast of '" + data.scale.names[series] + "' is not finite",
                        "train anew with a lower schedule.learning_rate", split);
        scorer.add(std::int64_t(series), i / n, points, at_quantiles);
        if (pictures > 0 && i / n == last_whole) shown.push_back({std::int64_t(series), scorer.origins()[std::size_t(last_whole)], points, at_quantiles});
      },
      monitor);

  Evaluation result;
  result.split = split;
  result.columns = columns();
  for (std::int64_t i = 0; i < n; ++i) result.cases.push_back({data.scale.names[std::size_t(i)], scorer.of_series(i), {}});
  result.totals = scorer.totals();

  const auto references = references_of(s);
  std::vector<PanelScorer> reference_scores;
  for (const auto& reference : references) {
    monitor.turn("scoring " + reference->name(), 0, 1);
    reference_scores.emplace_back(s, data, split);
    score_reference(*reference, data, reference_scores.back(), quantiles);
    result.baselines.push_back({reference->name(), reference_scores.back().of_all(), reference->source()});
  }
  for (const auto& b : published_) result.baselines.push_back(b);

  if (!data.fold.empty()) result.notes.push_back(data.fold);
  std::string windows;
  for (std::size_t h = 0; h < s.horizons.size(); ++h)
    windows += (h ? ", " : "") + std::to_string(scorer.origins(h)) + " of " + std::to_string(s.horizons[h]) + " steps";
  result.notes.push_back("all windows: " + windows + " for each of " + std::to_string(n) + " series, origins " + std::to_string(s.origin_step) + " apart");
  result.notes.push_back("mse, mae: of series standardised by the " + std::to_string(data.train.end) +
                         " training rows (mean, population deviation); intervals: blocks of consecutive origins, a horizon long, none where one block holds all origins; of means over horizons: over series");
  result.notes.push_back("Diebold-Mariano tests on " + result.columns.front().name.substr(0, result.columns.front().name.find(' ')) +
                         " by origin (Harvey-Leybourne-Newbold, lags H - 1; t < 0: the model is better; two-sided p)");
  for (std::size_t r = 0; r < references.size(); ++r)
    if (auto line = compared(scorer, reference_scores[r], references[r]->name(), s); !line.empty()) result.notes.push_back(line);
  if (pictures > 0) result.charts = forecast_charts(s, data, scorer, reference_scores, references, shown, std::size_t(pictures));
  return result;
}

}  // namespace tenon::finance
