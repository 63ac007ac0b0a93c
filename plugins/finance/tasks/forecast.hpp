/// finance.forecast: point and quantile forecasts of panels of series, scored at several horizons beside forecasts that need no training.
///
/// Recipe sections: [data] the file, its rows and their scale, [walk_forward] folds for choices, [window] what a sample is, [loss], [metrics], [baselines].
/// A sample is one window of one series; samples are cut from the series as they are asked for and never stored.
#pragma once

#include <memory>
#include <optional>

#include "finance/tasks/forecast_params.hpp"
#include "finance/tasks/series_data.hpp"
#include "tenon/plugin.hpp"

namespace tenon::finance {

TaskEntry forecast_task();

class ForecastTask final : public Task {
 public:
  explicit ForecastTask(const TaskContext& context);

  std::vector<Problem> check(const Monitor& monitor) override;
  void load(const Monitor& monitor) override;
  std::vector<std::string> splits() const override;
  std::vector<MetricColumn> columns() const override;
  ModelContext model_context() const override;
  std::vector<TensorSpec> batch_spec() const override;
  void fill_batch(std::int64_t step, const Random& random, std::vector<Tensor>& batch) const override;
  std::vector<std::pair<std::string, Tensor>> loss(nn::Module& model, const std::vector<Tensor>& batch) override;
  Evaluation evaluate(nn::Module& model, const std::string& split, int pictures, const Monitor& monitor) override;
  double score(const Evaluation& evaluation) const override;
  std::vector<std::filesystem::path> predict(nn::Module& model, const std::vector<std::filesystem::path>& inputs,
                                             const PredictOptions& options) override;
  std::string state() const override;
  void load_state(const std::string& json) override;
  std::map<std::string, std::string> input_digests() const override;
  std::int64_t train_samples() const override;
  void require_inputs() const override;

  const ForecastSettings& settings() const noexcept { return settings_; }
  const SeriesData& data() const;

 private:
  const ParamValues& section(const std::string& name) const;
  std::filesystem::path file() const;
  void require_windows() const;

  TaskContext context_;
  ForecastSettings settings_;
  std::vector<Baseline> published_;
  std::optional<SeriesData> data_;
  std::vector<std::vector<float>> windows_;  ///< [N][T], the series as the model reads them
  SeriesScale scale_;                         ///< from load() or load_state()
};

}  // namespace tenon::finance
