#include "finance/tasks/panel_scorer.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tenon/error.hpp"

namespace tenon::finance {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

}  // namespace

PanelScorer::PanelScorer(const ForecastSettings& settings, const SeriesData& data, const std::string& split) : settings_(settings), data_(data) {
  RowRange part = data.part(split);
  if (split == "train") part.begin = settings.look_back;  // the first window needs its history
  if (part.begin < settings.look_back)
    throw Error(ErrorKind::usage, "finance.rows",
                "the first forecast of '" + split + "' is at row " + std::to_string(part.begin) + ", its window needs " + std::to_string(settings.look_back) + " rows before",
                "make window.look_back shorter or data.train_rows larger", "window.look_back");
  for (std::int64_t h : settings.horizons) {
    const std::int64_t all = part.origins(h);
    counts_.push_back((all + settings.origin_step - 1) / settings.origin_step);
  }
  for (std::int64_t i = 0; i < counts_.front(); ++i) origins_.push_back(part.begin + i * settings.origin_step);
  const std::size_t n = std::size_t(data.series()), horizons = settings.horizons.size();
  values_.resize(n);
  for (auto& of_series : values_) {
    of_series.resize(horizons);
    for (std::size_t h = 0; h < horizons; ++h) of_series[h].resize(std::size_t(counts_[h]));
  }
  sums_.assign(n, std::vector<ForecastSums>(horizons, ForecastSums(settings.quantiles)));
  squares_.assign(n, std::vector<double>(std::size_t(settings.horizon()), 0));
  for (std::size_t i = 0; i < n; ++i) {
    actual_.push_back(data.panel.series(std::int64_t(i)));
    mase_scale_.push_back(seasonal_scale(std::span<const double>(actual_[i]).first(std::size_t(data.train.end)), settings.season));
  }
}

std::int64_t PanelScorer::steps_at(std::int64_t place) const {
  std::int64_t steps = 0;
  for (std::size_t h = 0; h < counts_.size(); ++h)
    if (place < counts_[h]) steps = settings_.horizons[h];
  return steps;
}

void PanelScorer::add(std::int64_t series, std::int64_t place, std::span<const double> points, std::span<const double> at_quantiles) {
  const std::size_t i = std::size_t(series), q = settings_.quantiles.size();
  const std::int64_t origin = origins_.at(std::size_t(place)), steps = steps_at(place);
  if (std::int64_t(points.size()) < steps || at_quantiles.size() < std::size_t(steps) * q)
    throw_usage("PanelScorer::add", std::to_string(points.size()) + " steps", "give " + std::to_string(steps));
  const bool longest = place < counts_.back();
  ForecastSums own(settings_.quantiles);
  double square = 0, absolute = 0;
  std::size_t h = 0;
  for (std::int64_t k = 0; k < steps; ++k) {
    const double a = actual_[i][std::size_t(origin + k)];
    own.add(a, points[std::size_t(k)], at_quantiles.empty() ? std::span<const double>() : at_quantiles.subspan(std::size_t(k) * q, q));
    const double e = data_.z[i][std::size_t(origin + k)] - data_.scale.to_model(i, points[std::size_t(k)]);
    square += e * e;
    absolute += std::fabs(e);
    if (longest) squares_[i][std::size_t(k)] += e * e;
    if (k + 1 == settings_.horizons[h]) {
      const double count = double(k + 1);
      values_[i][h][std::size_t(place)] = {square / count,  absolute / count, own.mase(mase_scale_[i]), own.smape(),
                                           own.coverage(), q ? own.mean_pinball() : kNaN, own.actual() / count};
      sums_[i][h].add(own);
      ++h;
    }
  }
}

const PanelScorer::Values& PanelScorer::at(std::int64_t series, std::size_t horizon, std::int64_t place) const {
  return values_[std::size_t(series)][horizon][std::size_t(place)];
}

double PanelScorer::value(const std::string& score, const Values& v) const {
  if (score == "mse") return v.mse;
  if (score == "mae") return v.mae;
  if (score == "mase") return v.mase;
  if (score == "smape") return v.smape;
  if (score == "coverage") return v.coverage;
  return v.pinball;
}

double PanelScorer::of(const std::string& score, std::int64_t series, std::size_t horizon) const {
  const std::int64_t first = series < 0 ? 0 : series, last = series < 0 ? data_.series() : series + 1;
  if (counts_[horizon] == 0) return kNaN;
  double sum = 0, actual = 0;
  std::int64_t scored = 0;
  for (std::int64_t i = first; i < last; ++i) {
    double of_series = 0;
    for (std::int64_t p = 0; p < counts_[horizon]; ++p) {
      of_series += value(score, at(i, horizon, p));
      actual += at(i, horizon, p).actual;
    }
    if (std::isnan(of_series)) continue;  // a series without seasonal steps has no MASE
    sum += of_series;
    ++scored;
  }
  if (scored == 0) return kNaN;
  return score == "wql" ? (actual > 0 ? sum / actual : kNaN) : sum / double(scored * counts_[horizon]);
}

std::vector<double> PanelScorer::of_series(std::int64_t series) const {
  std::vector<double> columns;
  for (const auto& score : settings_.scores) {
    double sum = 0;
    int scored = 0;
    for (std::size_t h = 0; h < counts_.size(); ++h) {
      const double v = of(score, series, h);
      columns.push_back(v);
      if (std::isnan(v)) continue;
      sum += v;
      ++scored;
    }
    // a mean over some of the horizons would look better than it is
    if (counts_.size() > 1) columns.push_back(scored == int(counts_.size()) ? sum / scored : kNaN);
  }
  return columns;
}

std::vector<double> PanelScorer::of_all() const { return of_series(-1); }

std::vector<double> PanelScorer::by_origin(std::size_t score, std::size_t horizon) const {
  const std::string& name = settings_.scores[score];
  double actual = 0;
  std::vector<double> means(std::size_t(counts_[horizon]), 0);
  for (std::int64_t p = 0; p < counts_[horizon]; ++p) {
    std::int64_t scored = 0;
    for (std::int64_t i = 0; i < data_.series(); ++i) {
      const double v = value(name, at(i, horizon, p));
      actual += at(i, horizon, p).actual;
      if (std::isnan(v)) continue;
      means[std::size_t(p)] += v;
      ++scored;
    }
    means[std::size_t(p)] /= double(scored);
  }
  if (name == "wql")
    for (double& m : means) m *= double(counts_[horizon] * data_.series()) / actual;
  return means;
}

std::vector<Interval> PanelScorer::totals() const {
  const std::vector<double> values = of_all();
  std::vector<Interval> totals;
  for (std::size_t s = 0; s < settings_.scores.size(); ++s) {
    for (std::size_t h = 0; h < counts_.size(); ++h) {
      Interval total{values[totals.size()], kNaN, kNaN};
      const auto losses = by_origin(s, h);
      const std::int64_t block = (settings_.horizons[h] + settings_.origin_step - 1) / settings_.origin_step;
      // a block that holds every origin would give an interval of no width
      if (std::int64_t(losses.size()) > block && std::all_of(losses.begin(), losses.end(), [](double v) { return std::isfinite(v); })) {
        const Interval around = block_bootstrap_mean(losses, block);
        total.low = around.low;
        total.high = around.high;
      }
      totals.push_back(total);
    }
    // horizons have other origins: their mean's interval is that over series; WQL, pooled, has none
    if (counts_.size() > 1) totals.push_back({settings_.scores[s] == "wql" ? values[totals.size()] : kNaN, kNaN, kNaN});
  }
  return totals;
}

std::vector<double> PanelScorer::mse_by_step() const {
  std::vector<double> means(squares_.front().size(), kNaN);
  if (counts_.back() == 0) return means;
  for (std::size_t k = 0; k < means.size(); ++k) {
    double sum = 0;
    for (const auto& of_series : squares_) sum += of_series[k];
    means[k] = sum / double(counts_.back() * data_.series());
  }
  return means;
}

ForecastSums PanelScorer::pooled(std::size_t horizon) const {
  ForecastSums sums(settings_.quantiles);
  for (const auto& of_series : sums_) sums.add(of_series[horizon]);
  return sums;
}

}  // namespace tenon::finance
