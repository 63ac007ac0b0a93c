// Forecasts of files: from the last fields of each, written as CF NetCDF with the grid put back and a record of what made them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "climate/io/writer.hpp"
#include "climate/tasks/forecast.hpp"
#include "climate/tasks/model_runner.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/sha256.hpp"

namespace tenon::climate {
namespace fs = std::filesystem;
namespace {

std::vector<fs::path> plan_outputs(const std::vector<fs::path>& inputs, const PredictOptions& options) {
  std::vector<fs::path> outputs;
  for (const auto& input : inputs) {
    const fs::path output = options.output / (input.stem().string() + "_forecast.nc");
    if (std::find(outputs.begin(), outputs.end(), output) != outputs.end())
      throw Error(ErrorKind::usage, "predict.same_name", "two inputs would be written to " + output.string(), "predict them into different folders");
    if (!options.overwrite && file_exists(output))
      throw Error(ErrorKind::usage, "predict.exists", "the result is there already", "choose another output folder, or say --overwrite", output.string());
    outputs.push_back(output);
  }
  return outputs;
}

}  // namespace

std::vector<fs::path> ForecastTask::predict(nn::Module& model, const std::vector<fs::path>& inputs, const PredictOptions& options) {
  if (!ready_) throw_usage("ForecastTask::predict", "neither trained nor told what training saw");
  const auto outputs = plan_outputs(inputs, options);
  const std::string digest = model_digest(model);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    options.monitor.turn("predicting", std::int64_t(i), std::int64_t(inputs.size()));
    FieldSeries series = read_series(inputs[i], variable_);
    const std::string file = inputs[i].string();
    const std::string input_digest = sha256_of_file(inputs[i]);
    GridOrder order;  // places of the model's grid in the file's, which the output keeps
    try {
      order = bring_to(series, grid_);
    } catch (const Error& e) {
      throw e.at(file);
    }
    const UnitConversion conversion = convert_units(series, data_settings_.score_unit);
    AnomalySeries anomalies{climatology_.anomalies(series), series.ticks, series.year, grid_.points(), data_settings_.step_ticks()};
    const std::int64_t last = series.times() - 1, history = settings_.base == ForecastBase::linear ? std::max(settings_.days, settings_.linear.days) : settings_.days;
    if (!anomalies.has_history(last, history, std::vector<char>(std::size_t(series.times()), 1)))
      throw Error(ErrorKind::data, "climate.history", fmt::format("the {} fields up to {} are not all there, {:g} h apart", history, date_text(series.calendar, series.ticks.back()), data_settings_.step_hours),
                  "a forecast needs the fields that the network was trained to see", file);
    const std::vector<float> forecast = forecasts(model, anomalies, series.calendar, {last}, {});

    LabelledArray out = series.source;
    const std::int64_t leads = std::int64_t(settings_.leads.size()), points = grid_.points();
    std::vector<float> values(forecast.size());
    std::vector<double> mean(static_cast<std::size_t>(points)), lead_time;
    TimeCoordinates moments{out.axes[0].time->calendar, {}, {}};
    const bool bounded = !out.axes[0].time->bounds.empty();
    for (std::int64_t l = 0; l < leads; ++l) {
      const std::int64_t shift = settings_.leads[std::size_t(l)] * anomalies.step, tick = series.ticks.back() + shift;
      climatology_.at(phase_of_year(series.calendar, tick), mean.data());
      for (std::int64_t p = 0; p < points; ++p) {
        const std::int64_t place = order.rows[std::size_t(p / grid_.columns())] * grid_.columns() + order.columns[std::size_t(p % grid_.columns())];
        values[std::size_t(l * points + place)] = float((mean[std::size_t(p)] + double(forecast[std::size_t(l * points + p)]) - conversion.offset) / conversion.factor);
      }
      moments.ticks.push_back(tick);
      if (bounded) moments.bounds.push_back({out.axes[0].time->bounds.back()[0] + shift, out.axes[0].time->bounds.back()[1] + shift});
      lead_time.push_back(double(shift) / double(kTicksPerDay));
    }
    out.values = Tensor::from(values, Shape{leads, grid_.rows(), grid_.columns()});
    Axis& time = out.axes[0];
    // Coordinates follow from the moments when they are written.
    const double first = series.source.axes[0].coordinates.back();
    const double per_tick = series.times() > 1 ? (first - series.source.axes[0].coordinates.front()) / double(series.ticks.back() - series.ticks.front()) : 0;
    time.coordinates.clear();
    time.bounds.clear();
    for (auto tick : moments.ticks) time.coordinates.push_back(first + per_tick * double(tick - series.ticks.back()));
    time.time = std::move(moments);
    LabelledArray lead;
    lead.name = "lead_time";
    lead.unit = "days";
    lead.attributes = {{"standard_name", "forecast_period"}, {"long_name", "time from the last field used"}};
    lead.values = Tensor::from(lead_time, Shape{leads});
    lead.axes = {time};
    out.auxiliary.push_back(std::move(lead));
    Dataset dataset;
    dataset.variables.push_back(std::move(out));
    dataset.attributes = {{"forecast_reference_time", date_text(series.calendar, series.ticks.back())},
                          {"source", "forecast by climate.forecast of Tenon"},
                          {"tenon_model_sha256", digest},
                          {"tenon_seed", std::to_string(context_.seed)},
                          {"tenon_input", inputs[i].filename().string()},
                          {"tenon_input_sha256", input_digest}};
    if (!series.history.empty()) dataset.attributes["history"] = series.history;
    files().make_directories(options.output);
    write_netcdf(outputs[i], dataset, {.history = "tenon predict: forecast from " + inputs[i].filename().string()});
  }
  return outputs;
}

}  // namespace tenon::climate
