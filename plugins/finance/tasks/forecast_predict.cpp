#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "finance/scores/forecast_scores.hpp"
#include "finance/tasks/forecast.hpp"
#include "finance/tasks/prediction_file.hpp"
#include "finance/tasks/window_runner.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

namespace tenon::finance {
namespace fs = std::filesystem;
namespace {

/// The panel's columns in the order of the run's series.
std::vector<std::int64_t> places_of(const Panel& panel, const SeriesScale& scale) {
  std::vector<std::int64_t> places;
  for (const auto& name : scale.names) places.push_back(panel.index_of(name));
  return places;
}

}  // namespace

std::vector<fs::path> ForecastTask::predict(nn::Module& model, const std::vector<fs::path>& inputs, const PredictOptions& options) {
  if (scale_.names.empty()) throw_usage("ForecastTask::predict", "neither trained nor told what training saw");
  const auto outputs = plan_prediction_files(inputs, options, ".forecast.csv");
  const std::size_t quantiles = settings_.quantiles.size(), horizon = std::size_t(settings_.horizon());
  std::vector<fs::path> written;
  for (std::size_t f = 0; f < inputs.size(); ++f) {
    options.monitor.turn("predicting", std::int64_t(f), std::int64_t(inputs.size()));
    const Panel panel = read_series(section("data"), inputs[f]);
    const auto places = places_of(panel, scale_);
    if (panel.rows() < settings_.look_back)
      throw Error(ErrorKind::data, "finance.short_history", std::to_string(panel.rows()) + " rows, the model needs " + std::to_string(settings_.look_back),
                  "give at least window.look_back rows", inputs[f].string());
    require_transformable(panel, scale_.transform);
    std::string text = panel.has_calendar ? "series,origin,step" : "series,step";
    if (quantiles == 0) text += ",forecast";
    for (double q : settings_.quantiles) text += fmt::format(",q{:g}", q);
    text += "\n";
    const std::string origin = panel.has_calendar ? time_text(panel.times.back()) + "," : std::string();
    std::vector<double> step(std::max<std::size_t>(quantiles, 1));
    run_windows(
        model, {settings_.look_back, 1, settings_.horizon(), settings_.outputs(), std::int64_t(places.size())}, std::int64_t(places.size()),
        [&](std::int64_t i, std::span<float> window) {
          for (std::int64_t l = 0; l < settings_.look_back; ++l)
            window[std::size_t(l)] = float(scale_.to_model(std::size_t(i), panel.at(panel.rows() - settings_.look_back + l, places[std::size_t(i)])));
        },
        [&](std::int64_t i, std::span<const float> forecast) {
          for (std::size_t k = 0; k < horizon; ++k) {
            for (std::size_t q = 0; q < step.size(); ++q) step[q] = scale_.from_model(std::size_t(i), double(forecast[k * step.size() + q]));
            sort_quantiles(step);
            text += fmt::format("{},{}{}", csv_cell(scale_.names[std::size_t(i)]), origin, k + 1);
            for (double v : step) text += fmt::format(",{:.9g}", v);
            text += "\n";
          }
        },
        {});
    files().make_directories(options.output);
    write_atomic(outputs[f], text);
    written.push_back(outputs[f]);
  }
  options.monitor.turn("predicting", std::int64_t(inputs.size()), std::int64_t(inputs.size()));
  return written;
}

}  // namespace tenon::finance
