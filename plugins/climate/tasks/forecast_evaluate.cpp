// The forecasting task's scores, its baselines, charts and maps.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "climate/tasks/forecast.hpp"
#include "climate/tasks/forecast_maps.hpp"
#include "climate/tasks/params.hpp"
#include "tenon/error.hpp"
#include "tenon/metrics.hpp"

namespace tenon::climate {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// The initial positions of every lead and verification time, and where in their list each stands.
struct InitialPositions {
  std::vector<std::int64_t> all;                  ///< rising, each once
  std::vector<std::vector<std::int64_t>> of_lead;  ///< [lead][verification]: place in `all`
};

InitialPositions initial_positions(const AnomalySeries& series, const std::vector<std::int64_t>& verifying, const std::vector<std::int64_t>& leads) {
  InitialPositions p;
  for (auto lead : leads)
    for (auto t : verifying) p.all.push_back(series.before(t, lead).value());
  std::sort(p.all.begin(), p.all.end());
  p.all.erase(std::unique(p.all.begin(), p.all.end()), p.all.end());
  for (auto lead : leads) {
    auto& places = p.of_lead.emplace_back();
    for (auto t : verifying) places.push_back(std::lower_bound(p.all.begin(), p.all.end(), series.before(t, lead).value()) - p.all.begin());
  }
  return p;
}

/// forecasts [initial, leads, points] to one [times, points] a lead.
std::vector<std::vector<float>> by_lead(const std::vector<float>& forecasts, const InitialPositions& initial, std::int64_t points) {
  const auto leads = std::int64_t(initial.of_lead.size());
  std::vector<std::vector<float>> result;
  for (std::int64_t l = 0; l < leads; ++l) {
    auto& list = result.emplace_back();
    for (auto i : initial.of_lead[std::size_t(l)]) {
      const auto from = forecasts.begin() + (i * leads + l) * points;
      list.insert(list.end(), from, from + points);
    }
  }
  return result;
}

std::vector<float> fields_of(const AnomalySeries& series, const std::vector<std::int64_t>& times) {
  std::vector<float> list;
  for (auto t : times) list.insert(list.end(), series.field(t), series.field(t) + series.points);
  return list;
}

Interval rmse_interval(const ForecastScores& s, std::int64_t lead, std::int64_t block) {
  const Interval mean = block_bootstrap_mean(std::span(s.square).subspan(std::size_t(lead * s.times), std::size_t(s.times)), block);
  return {std::sqrt(mean.value), std::sqrt(mean.low), std::sqrt(mean.high)};
}

Interval acc_interval(const ForecastScores& s, std::int64_t lead, std::int64_t block) {
  std::vector<double> values;
  for (std::int64_t t = 0; t < s.times; ++t)
    if (const double c = s.correlation[std::size_t(lead * s.times + t)]; !std::isnan(c)) values.push_back(c);
  if (values.empty()) return {kNaN, kNaN, kNaN};
  return block_bootstrap_mean(values, std::min(block, std::int64_t(values.size())));
}

}  // namespace

std::vector<Baseline> ForecastTask::baselines(const std::string&, const std::vector<std::int64_t>& verifying, const ForecastScores& climatology) const {
  const AnomalySeries& a = data_->anomalies;
  const std::vector<float> truth = fields_of(a, verifying);
  const InitialPositions initial = initial_positions(a, verifying, settings_.leads);
  std::vector<Baseline> list{{"climatology", column_values(climatology), fmt::format("computed: {} annual harmonics", climatology_.harmonics())}};

  const std::vector<double> factors = damping(a, data_->fitted, settings_.leads);
  std::vector<std::vector<float>> persistent, damped;
  for (std::size_t l = 0; l < settings_.leads.size(); ++l) {
    std::vector<std::int64_t> from;
    for (auto i : initial.of_lead[l]) from.push_back(initial.all[std::size_t(i)]);
    persistent.push_back(fields_of(a, from));
    damped.push_back(persistent.back());
    for (float& v : damped.back()) v = float(double(v) * factors[l]);
  }
  list.push_back({"persistence", column_values(score_forecasts(persistent, truth, data_->point_weights)), "computed: of the anomaly"});
  list.push_back({"damped persistence", column_values(score_forecasts(damped, truth, data_->point_weights)), "computed: one factor a lead"});

  const ParamValues& v = section(context_, "baselines");
  LinearSettings linear;
  linear.leads = settings_.leads;
  linear.eofs = std::min({v.integer("eofs"), a.points, std::int64_t(std::count(data_->fitted.begin(), data_->fitted.end(), 1))});
  linear.ridge = v.real("ridge");
  for (std::int64_t days : {std::int64_t(1), v.integer("days")}) {
    linear.days = days;
    if (days == 1 && v.integer("days") == 1 && list.back().name.starts_with("linear")) continue;
    const LinearForecast model = LinearForecast::fit(a, data_->fitted, data_->point_weights, linear);
    std::vector<std::int64_t> whole;
    const std::vector<char> any(std::size_t(a.times()), 1);
    bool possible = true;
    for (auto t : initial.all) possible &= a.has_history(t, days, any);
    Baseline b{days == 1 ? "linear, last field" : fmt::format("linear, last {} fields", days), std::vector<double>(2 * settings_.leads.size(), kNaN),
               fmt::format("computed: inverse model, {} EOFs", linear.eofs)};
    if (possible) b.values = column_values(score_forecasts(by_lead(model.forecast(a, initial.all), initial, a.points), truth, data_->point_weights));
    list.push_back(std::move(b));
  }
  if (has_base() && settings_.mode == ForecastMode::direct && settings_.base == ForecastBase::linear)
    list.push_back({"base of the network", column_values(score_forecasts(by_lead(base_forecasts(a, initial.all, false), initial, a.points), truth, data_->point_weights)),
                    fmt::format("computed: {} EOFs, ridge by fit years", settings_.linear.eofs)});
  return list;
}

Evaluation ForecastTask::evaluate(nn::Module& model, const std::string& split, int pictures, const Monitor& monitor) {
  if (!data_) throw_usage("ForecastTask::evaluate", "nothing is loaded yet");
  const auto known = splits();
  if (std::find(known.begin(), known.end(), split) == known.end())
    throw Error(ErrorKind::usage, "climate.no_split", "there is no split '" + split + "'", suggestion(split, known));
  const AnomalySeries& a = data_->anomalies;
  const std::int64_t history = settings_.base == ForecastBase::linear ? std::max(settings_.days, settings_.linear.days) : settings_.days;
  const std::vector<char> any(std::size_t(a.times()), 1);
  std::vector<std::int64_t> verifying;
  std::int64_t left_out = 0;
  for (auto t : data_->verifying(data_settings_, split)) {
    bool whole = true;
    for (auto lead : settings_.leads) {
      const auto initial = a.before(t, lead);
      whole &= initial && a.has_history(*initial, history, any);
    }
    if (whole) verifying.push_back(t);
    left_out += !whole;
  }
  if (verifying.empty())
    throw Error(ErrorKind::data, "climate.too_short", "no field of '" + split + "' can be verified at every lead: its initial fields are not in the file", "give a longer file or shorter leads",
                data_settings_.file.string());

  const InitialPositions initial = initial_positions(a, verifying, settings_.leads);
  const std::vector<float> truth = fields_of(a, verifying);
  const auto forecast = by_lead(forecasts(model, a, data_->series.calendar, initial.all, monitor), initial, a.points);
  const ForecastScores scores = score_forecasts(forecast, truth, data_->point_weights);
  const std::vector<std::vector<float>> zero(settings_.leads.size(), std::vector<float>(truth.size(), 0.0f));
  const ForecastScores climatology = score_forecasts(zero, truth, data_->point_weights);

  Evaluation result;
  result.split = split;
  result.columns = columns();
  const std::int64_t block = section(context_, "baselines").integer("block");
  const std::int64_t length = std::min(block, scores.times);
  for (std::int64_t l = 0; l < scores.leads; ++l) result.totals.push_back(rmse_interval(scores, l, length));
  for (std::int64_t l = 0; l < scores.leads; ++l) result.totals.push_back(acc_interval(scores, l, length));
  for (std::int64_t t = 0; t < scores.times; ++t) {
    CaseResult c;
    c.id = data_settings_.step_hours >= 24 ? data_->series.date(verifying[std::size_t(t)]) : date_text(data_->series.calendar, a.ticks[std::size_t(verifying[std::size_t(t)])]);
    for (std::int64_t l = 0; l < scores.leads; ++l) c.values.push_back(std::sqrt(scores.square[std::size_t(l * scores.times + t)]));
    for (std::int64_t l = 0; l < scores.leads; ++l) c.values.push_back(scores.correlation[std::size_t(l * scores.times + t)]);
    result.cases.push_back(std::move(c));
  }
  result.baselines = baselines(split, verifying, climatology);
  add_skill_charts(result, settings_.leads, data_settings_.step_hours, data_settings_.score_unit);
  for (auto& b : published_baselines(section(context_, "baselines"), result.columns.size())) result.baselines.push_back(std::move(b));
  result.notes.push_back(fmt::format("{} verification times ({} to {}); RMSE: root of the mean over times and points of the squared error, weighted by cos(latitude); "
                                     "ACC: weighted, uncentred correlation of anomalies in space, mean over times",
                                     scores.times, result.cases.front().id, result.cases.back().id));
  result.notes.push_back("all baselines are fitted on the fit years; the network's base is damped persistence and what a linear model adds, its ridge chosen for each lead by leaving out one fit year after the other");
  result.notes.push_back(fmt::format("intervals: 95 %, 2000 resamples of blocks of {} verification times", length));
  if (block >= scores.times) result.notes.push_back("these blocks are the whole series: the intervals have no width and say nothing");
  if (left_out) result.notes.push_back(fmt::format("{} times of the split are not scored: their initial fields are not in the file", left_out));
  if (split == "validation" && !data_settings_.hold_back.empty()) result.notes.push_back("this split is the part of the fit period that was held back for choices, not the score years");
  if (pictures > 0) {
    const ForecastMaps maps{data_->series.grid, settings_.leads, data_settings_.step_hours, data_settings_.score_unit};
    add_skill_maps(result, maps, scores, climatology);
    picture_worst(result, maps, pictures, verifying, truth, forecast, [&](std::int64_t t) {
      std::vector<double> mean(std::size_t(a.points));
      climatology_.at(data_->series.phase[std::size_t(t)], mean.data());
      return mean;
    });
  }
  return result;
}

}  // namespace tenon::climate
