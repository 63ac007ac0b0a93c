/// climate.forecast: forecasts the fields to come from those of the last days, learnt from a series of fields.
///
/// Everything is done on anomalies from the climatology. `direct` forecasts every lead at once; `rollout` forecasts one step and is fed its own
/// output, also while it is trained where forecast.rollout_steps > 1. A network corrects a base forecast (persistence, or a linear
/// model), which is what it starts from and falls back to.
///
/// Recipe sections: [data] the series and its periods, [forecast], [augment], [loss], [baselines].
#pragma once

#include <memory>
#include <optional>

#include "climate/tasks/forecast_data.hpp"
#include "climate/tasks/forecast_scores.hpp"
#include "tenon/plugin.hpp"

namespace tenon::climate {

TaskEntry forecast_task();

enum class ForecastMode { direct, rollout };
enum class ForecastBase { none, persistence, damped, linear };

struct ForecastSettings {
  ForecastMode mode = ForecastMode::direct;
  std::vector<std::int64_t> leads;  ///< in steps, rising
  std::int64_t days = 3, rollout_steps = 1;
  std::size_t corrected = 0;        ///< the first so many leads are corrected by the network, the others are the base's alone
  ForecastBase base = ForecastBase::linear;
  LinearSettings linear;            ///< of the base
  bool show_base = true, season = true, position = true;
  double noise = 0, mixup = 0;
  std::vector<double> lead_weights;
};

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

 private:
  /// Initial positions that have their history and all that they are to be learnt from, of the years fitted on.
  std::vector<std::int64_t> samples_of(const ForecastData& data) const;
  std::int64_t day_channels() const { return settings_.days; }
  std::int64_t extra_channels() const;
  bool has_base() const { return settings_.base != ForecastBase::none; }
  /// Base forecasts of every lead, f32 [initial, leads, points]: empty for ForecastBase::none.
  std::vector<float> base_forecasts(const AnomalySeries& series, const std::vector<std::int64_t>& initial, bool left_out) const;
  /// The last days' scaled anomalies, newest first, at out[p * stride + k].
  void put_days(const AnomalySeries& series, std::int64_t t, float* out, std::int64_t stride) const;
  /// What else the network sees `ahead` steps after t, at out[p * stride + k]; `base` [leads, points] or null.
  void put_extras(double phase, const float* base, float* out, std::int64_t stride) const;
  /// Anomalies forecast from each initial position: f32 [initial, leads, points].
  std::vector<float> forecasts(nn::Module& model, const AnomalySeries& series, Calendar calendar, const std::vector<std::int64_t>& initial,
                               const Monitor& monitor) const;
  std::vector<float> direct_forecasts(nn::Module& model, const AnomalySeries& series, Calendar calendar, const std::vector<std::int64_t>& initial, const Monitor& monitor) const;
  std::vector<float> rollout_forecasts(nn::Module& model, const AnomalySeries& series, Calendar calendar, const std::vector<std::int64_t>& initial, const Monitor& monitor) const;
  std::vector<Baseline> baselines(const std::string& split, const std::vector<std::int64_t>& verifying, const ForecastScores& climatology) const;

  TaskContext context_;
  ForecastDataSettings data_settings_;
  ForecastSettings settings_;

  std::optional<ForecastData> data_;
  std::vector<std::int64_t> samples_;  ///< initial positions to train on
  std::vector<float> base_of_samples_;  ///< f32 [samples, corrected leads, points], as a model that did not see the sample's year says

  // What prediction needs; from load() or load_state().
  bool ready_ = false;
  std::string variable_, unit_;
  GridSpec grid_;
  HarmonicClimatology climatology_;
  double scale_ = 1;
  std::vector<double> damping_;
  std::optional<LinearForecast> linear_;
};

}  // namespace tenon::climate
