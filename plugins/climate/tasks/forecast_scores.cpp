#include "climate/tasks/forecast_scores.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "tenon/error.hpp"
#include "tenon/kernel.hpp"

namespace tenon::climate {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

}  // namespace

double ForecastScores::rmse(std::int64_t lead) const {
  double sum = 0;
  for (std::int64_t t = 0; t < times; ++t) sum += square[std::size_t(lead * times + t)];
  return std::sqrt(sum / double(times));
}

double ForecastScores::acc(std::int64_t lead) const {
  double sum = 0;
  std::int64_t n = 0;
  for (std::int64_t t = 0; t < times; ++t)
    if (const double c = correlation[std::size_t(lead * times + t)]; !std::isnan(c)) sum += c, ++n;
  return n ? sum / double(n) : kNaN;
}

ForecastScores score_forecasts(const std::vector<std::vector<float>>& forecast, const std::vector<float>& truth, const std::vector<double>& weights) {
  ForecastScores s;
  s.leads = std::int64_t(forecast.size());
  s.points = std::int64_t(weights.size());
  s.times = std::int64_t(truth.size()) / s.points;
  s.square.resize(std::size_t(s.leads * s.times));
  s.correlation.resize(s.square.size());
  s.point_square.assign(std::size_t(s.leads * s.points), 0.0);
  for (std::size_t lead = 0; lead < forecast.size(); ++lead) {
    if (forecast[lead].size() != truth.size())
      throw_usage("score_forecasts", std::to_string(forecast[lead].size()) + " forecast values against " + std::to_string(truth.size()));
    parallel_for(s.times, [&](std::int64_t t) {
      const float *f = forecast[lead].data() + t * s.points, *o = truth.data() + t * s.points;
      double square = 0, ff = 0, oo = 0, fo = 0;
      for (std::int64_t p = 0; p < s.points; ++p) {
        const double w = weights[std::size_t(p)], a = double(f[p]), b = double(o[p]);
        square += w * (a - b) * (a - b);
        ff += w * a * a;
        oo += w * b * b;
        fo += w * a * b;
      }
      const std::size_t at = lead * std::size_t(s.times) + std::size_t(t);
      s.square[at] = square / double(s.points);
      s.correlation[at] = ff > 0 && oo > 0 ? fo / std::sqrt(ff * oo) : kNaN;
    });
    parallel_blocks(s.points, 256, [&](std::int64_t from, std::int64_t to) {
      double* sum = s.point_square.data() + std::int64_t(lead) * s.points;
      for (std::int64_t t = 0; t < s.times; ++t) {
        const float *f = forecast[lead].data() + t * s.points, *o = truth.data() + t * s.points;
        for (std::int64_t p = from; p < to; ++p) sum[p] += double(f[p] - o[p]) * double(f[p] - o[p]);
      }
      for (std::int64_t p = from; p < to; ++p) sum[p] /= double(s.times);
    });
  }
  return s;
}

std::string lead_name(std::int64_t lead, double step_hours) {
  const double hours = double(lead) * step_hours;
  return std::fmod(hours, 24) == 0 ? fmt::format("day {:g}", hours / 24) : fmt::format("hour {:g}", hours);
}

std::vector<MetricColumn> forecast_columns(const std::vector<std::int64_t>& leads, double step_hours, const std::string& unit) {
  std::vector<MetricColumn> columns;
  for (auto lead : leads) columns.push_back({"RMSE " + lead_name(lead, step_hours), unit, false});
  for (auto lead : leads) columns.push_back({"ACC " + lead_name(lead, step_hours), "", true});
  return columns;
}

std::vector<double> column_values(const ForecastScores& scores) {
  std::vector<double> values;
  for (std::int64_t l = 0; l < scores.leads; ++l) values.push_back(scores.rmse(l));
  for (std::int64_t l = 0; l < scores.leads; ++l) values.push_back(scores.acc(l));
  return values;
}

}  // namespace tenon::climate
