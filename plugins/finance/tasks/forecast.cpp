#include "finance/tasks/forecast.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "finance/tasks/published.hpp"
#include "tenon/data/sampler.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/sha256.hpp"
#include "tenon/losses.hpp"
#include "tenon/ops.hpp"

namespace tenon::finance {

TaskEntry forecast_task() {
  TaskEntry entry;
  entry.name = "forecast";
  entry.help = "forecast series of a panel, points or quantiles, scored at several horizons beside repeat, seasonal naive and random walk";
  entry.sections = {{"data", series_data_params()},
                    {"walk_forward", walk_forward_params()},
                    {"window", window_params()},
                    {"loss", forecast_loss_params()},
                    {"metrics", forecast_metrics_params()},
                    {"baselines", forecast_baselines_params()}};
  entry.default_model = "finance.nlinear";
  entry.make = [](const TaskContext& context) -> std::unique_ptr<Task> { return std::make_unique<ForecastTask>(context); };
  return entry;
}

const ParamValues& ForecastTask::section(const std::string& name) const {
  const auto found = context_.sections.find(name);
  if (found == context_.sections.end()) throw_usage("ForecastTask", "the recipe section [" + name + "] was not given");
  return found->second;
}

ForecastTask::ForecastTask(const TaskContext& context) : context_(context) {
  settings_ = forecast_settings(section("window"), section("loss"), section("metrics"), section("baselines"));
  published_ = published_by_column(section("baselines"), columns(), {"MSE", "MAE", "MASE", "sMAPE", "WQL", "coverage"});
}

std::filesystem::path ForecastTask::file() const {
  const std::filesystem::path given = section("data").text("file");
  return given.is_absolute() ? given : context_.recipe_directory / given;
}

void ForecastTask::require_inputs() const {
  const auto info = files().stat(file());
  if (!info || info->is_directory)
    throw Error(ErrorKind::usage, "finance.no_file", "there is no file " + file().string(), "give data.file the path of a CSV", "data.file");
}

const SeriesData& ForecastTask::data() const {
  if (!data_) throw_usage("ForecastTask", "nothing is loaded yet");
  return *data_;
}

std::vector<Problem> ForecastTask::check(const Monitor&) {
  try {
    data_ = cut_series(read_series(section("data"), file()), section("data"), &section("walk_forward"));
    scale_ = data_->scale;
    require_windows();
  } catch (const Error& e) {
    return {{e.code(), e.where().empty() ? file().string() : e.where(), e.message(), e.hint()}};
  }
  return {};
}

void ForecastTask::load(const Monitor& monitor) {
  data_ = cut_series(read_series(section("data"), file()), section("data"), &section("walk_forward"));
  for (const auto& note : data_->notes) monitor.warn(note);
  scale_ = data_->scale;
  require_windows();
  windows_.assign(data_->z.size(), {});
  for (std::size_t i = 0; i < windows_.size(); ++i) windows_[i].assign(data_->z[i].begin(), data_->z[i].end());
}

void ForecastTask::require_windows() const {
  const std::int64_t needed = settings_.look_back + settings_.horizon();
  if (data_->train.end < needed)
    throw Error(ErrorKind::usage, "finance.rows",
                std::to_string(data_->train.end) + " training rows hold no sample of " + std::to_string(needed) + " (window.look_back " +
                    std::to_string(settings_.look_back) + " + the longest of window.horizons " + std::to_string(settings_.horizon()) + ")",
                "make the windows shorter or the training part longer", "data.train_rows");
}

std::vector<std::string> ForecastTask::splits() const {
  std::vector<std::string> list{"train"};
  for (const char* name : {"validation", "test"})
    if (data().part(name).origins(settings_.horizons.front()) > 0) list.emplace_back(name);
  return list;
}

std::vector<MetricColumn> ForecastTask::columns() const {
  auto list = forecast_columns(settings_);
  for (auto& column : list)
    if (column.name.starts_with("WQL")) column.per_case = true;
  return list;
}

ModelContext ForecastTask::model_context() const {
  return {1, settings_.outputs(), {settings_.look_back, settings_.horizon()}, context_.compute};
}

std::vector<TensorSpec> ForecastTask::batch_spec() const {
  return {{"window", Shape{context_.batch_size, settings_.look_back, 1}, DType::f32},
          {"target", Shape{context_.batch_size, settings_.horizon()}, DType::f32}};
}

std::int64_t ForecastTask::train_samples() const {
  return (data().train.end - settings_.look_back - settings_.horizon() + 1) * data().series();
}

void ForecastTask::fill_batch(std::int64_t step, const Random& random, std::vector<Tensor>& batch) const {
  if (windows_.empty()) throw_usage("ForecastTask::fill_batch", "nothing is loaded yet");
  if (batch.size() != 2) throw_usage("ForecastTask::fill_batch", std::to_string(batch.size()) + " tensors", "as many as batch_spec lists");
  const data::ShuffleSampler order(train_samples(), random);
  const std::int64_t look_back = settings_.look_back, horizon = settings_.horizon(), series = std::int64_t(windows_.size());
  float* window = batch[0].data<float>();
  float* target = batch[1].data<float>();
  for (std::int64_t j = 0; j < context_.batch_size; ++j) {
    const std::int64_t sample = order.at(step * context_.batch_size + j);
    const float* from = windows_[std::size_t(sample % series)].data() + sample / series;
    std::copy_n(from, look_back, window + j * look_back);
    std::copy_n(from + look_back, horizon, target + j * horizon);
  }
}

std::vector<std::pair<std::string, Tensor>> ForecastTask::loss(nn::Module& model, const std::vector<Tensor>& batch) {
  const Tensor y = model.forward(batch.at(0)).to(DType::f32);
  const Shape expected{context_.batch_size, settings_.horizon(), settings_.outputs()};
  if (!(y.shape() == expected))
    throw Error(ErrorKind::usage, "finance.model_output", "the model gives forecasts " + y.shape().str() + " where the task needs " + expected.str(),
                "use a forecasting model: finance.nlinear, finance.lstm, finance.patchtst", "model.name");
  const Tensor& target = batch.at(1);
  if (settings_.loss == "quantile") return {{"loss", quantile_loss(y, target, settings_.quantiles)}};
  const Tensor points = y.reshape(target.shape());
  if (settings_.loss == "mae") return {{"loss", l1_loss(points, target)}};
  if (settings_.loss == "huber") return {{"loss", huber_loss(points, target, settings_.delta)}};
  return {{"loss", mse_loss(points, target)}};
}

double ForecastTask::score(const Evaluation& evaluation) const {
  // the first score, its mean over the horizons that have windows in this split
  const std::size_t count = settings_.horizons.size();
  const auto summaries_needed = std::min(count, evaluation.columns.size());
  double sum = 0;
  int scored = 0;
  for (std::size_t k = 0; k < summaries_needed; ++k) {
    double total = 0;
    int cases = 0;
    for (const CaseResult& c : evaluation.cases)
      if (k < c.values.size() && std::isfinite(c.values[k])) {
        total += c.values[k];
        ++cases;
      }
    if (cases == 0) continue;
    sum += total / cases;
    ++scored;
  }
  if (scored == 0) return -std::numeric_limits<double>::infinity();
  const double mean = sum / scored;
  return evaluation.columns.front().merit(mean);
}

std::string ForecastTask::state() const {
  nlohmann::ordered_json out;
  out["format"] = 1;
  out["transform"] = scale_.transform == Transform::log ? "log" : "none";
  out["series"] = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < scale_.names.size(); ++i)
    out["series"].push_back({{"name", scale_.names[i]}, {"mean", scale_.mean[i]}, {"deviation", scale_.deviation[i]}});
  return out.dump(1) + "\n";
}

void ForecastTask::load_state(const std::string& json) {
  try {
    const auto in = nlohmann::json::parse(json);
    SeriesScale scale;
    scale.transform = in.at("transform").get<std::string>() == "log" ? Transform::log : Transform::none;
    for (const auto& s : in.at("series")) {
      scale.names.push_back(s.at("name").get<std::string>());
      scale.mean.push_back(s.at("mean").get<double>());
      scale.deviation.push_back(s.at("deviation").get<double>());
    }
    scale_ = std::move(scale);
  } catch (const nlohmann::json::exception& e) {
    throw Error(ErrorKind::data, "finance.state", std::string("what the task kept for prediction cannot be read: ") + e.what(),
                "take task.json back from a copy of the run, or train again", "task.json");
  }
}

std::map<std::string, std::string> ForecastTask::input_digests() const {
  return {{file().filename().string(), sha256_of_file(file())}};
}

}  // namespace tenon::finance
