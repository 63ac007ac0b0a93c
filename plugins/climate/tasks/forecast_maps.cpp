#include "climate/tasks/forecast_maps.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tenon/field_picture.hpp"

namespace tenon::climate {
namespace {

FieldGrid picture_grid(const GridSpec& grid) { return {grid.rows(), grid.columns(), grid.latitude, grid.longitude, true}; }

}  // namespace

void add_skill_charts(Evaluation& result, const std::vector<std::int64_t>& leads, double step_hours, const std::string& unit) {
  const std::size_t n = leads.size();
  const bool days = step_hours >= 24;
  std::vector<double> x;
  for (auto lead : leads) x.push_back(double(lead) * step_hours / (days ? 24 : 1));
  const std::string axis = days ? "lead (days)" : "lead (hours)";
  for (const std::size_t first : {std::size_t(0), n}) {
    Chart chart{first == 0 ? "Error by lead" : "Anomaly correlation by lead", axis, first == 0 ? "RMSE" + (unit.empty() ? "" : " (" + unit + ")") : "ACC", {}, ""};
    Curve model{"model", x, {}, {}, {}, Curve::Kind::line, false};
    for (std::size_t l = 0; l < n; ++l) {
      const Interval& i = result.totals[first + l];
      model.y.push_back(i.value), model.low.push_back(i.low), model.high.push_back(i.high);
    }
    chart.curves.push_back(std::move(model));
    for (const Baseline& b : result.baselines) {
      Curve curve{b.name, x, std::vector<double>(b.values.begin() + std::ptrdiff_t(first), b.values.begin() + std::ptrdiff_t(first + n)), {}, {}, Curve::Kind::line, true};
      if (std::any_of(curve.y.begin(), curve.y.end(), [](double v) { return std::isfinite(v); })) chart.curves.push_back(std::move(curve));
    }
    chart.note = "The band is the model's 95 % interval, by blocks of verification times.";
    result.charts.push_back(std::move(chart));
  }
}

void add_skill_maps(Evaluation& result, const ForecastMaps& maps, const ForecastScores& scores, const ForecastScores& climatology) {
  const std::size_t shown = std::min<std::size_t>(maps.leads.size(), 4);
  std::vector<std::vector<float>> skill(shown);
  std::vector<FieldPanel> panels;
  for (std::size_t l = 0; l < shown; ++l) {
    for (std::int64_t p = 0; p < scores.points; ++p) {
      const std::size_t at = l * std::size_t(scores.points) + std::size_t(p);
      skill[l].push_back(climatology.point_square[at] > 0 ? float(1 - scores.point_square[at] / climatology.point_square[at]) : std::numeric_limits<float>::quiet_NaN());
    }
    panels.push_back({lead_name(maps.leads[l], maps.step_hours), skill[l], ColourMap::diverging, -1.0, 1.0, ""});
  }
  result.pictures.push_back({"Skill: 1 - MSE / MSE of climatology at each grid point; 1 is perfect, 0 no better than climatology, red is skill", draw_fields(panels, picture_grid(maps.grid), 2)});
}

void picture_worst(Evaluation& result, const ForecastMaps& maps, int count, const std::vector<std::int64_t>& verifying, const std::vector<float>& truth,
                   const std::vector<std::vector<float>>& forecast, const std::function<std::vector<double>(std::int64_t)>& mean) {
  const auto points = std::size_t(maps.grid.points());
  std::vector<std::size_t> order(verifying.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return result.cases[a].values[0] > result.cases[b].values[0]; });
  for (std::size_t n = 0; n < std::min(order.size(), std::size_t(count)); ++n) {
    const std::size_t t = order[n];
    const std::vector<double> base = mean(verifying[t]);
    std::vector<float> actual, guess, error;
    for (std::size_t p = 0; p < points; ++p) {
      actual.push_back(float(base[p] + double(truth[t * points + p])));
      guess.push_back(float(base[p] + double(forecast[0][t * points + p])));
      error.push_back(guess.back() - actual.back());
    }
    const auto [low, high] = std::minmax_element(actual.begin(), actual.end());
    const std::string lead = lead_name(maps.leads[0], maps.step_hours);
    result.cases[t].pictures.push_back({fmt::format("RMSE {} {:.2f} {}", lead, result.cases[t].values[0], maps.unit),
                                        draw_fields({{"analysis", actual, ColourMap::sequential, double(*low), double(*high), maps.unit},
                                                     {"forecast, " + lead, guess, ColourMap::sequential, double(*low), double(*high), maps.unit},
                                                     {"forecast - analysis", error, ColourMap::diverging, {}, {}, maps.unit}},
                                                    picture_grid(maps.grid), 2)});
  }
  result.notes.push_back("pictures: the times of largest error at the first lead; analysis and forecast share their colours");
}

}  // namespace tenon::climate
