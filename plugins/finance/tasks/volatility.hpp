/// finance.volatility: tomorrow's variance and value at risk from daily prices, scored beside GARCH and historical simulation.
///
/// The model reads features of the last days (volatility_features.hpp) and gives log h - log h_0, h the variance of the next day's return and
/// h_0 the exponential average of range variances with a half-life of 20 days, scaled to the returns' variance over the training rows: a model
/// of zero weights is that persistence. It is fitted by the likelihood of the returns (normal or Student's t of unit variance). Its weights stay as they were at the end of the training rows. VaR at
/// level p is -(m + sqrt(h) q_p), m the mean training return, q_p either the innovations' quantile or, `filtered`, that of the standardised
/// residuals of the last days before; h is scaled by the average of what squared returns were against it, a year's half-life back (Barone-Adesi, Giannopoulos and Vosper 1999). Nothing of a day's forecast is later than the day before.
///
/// Recipe sections: [data] prices and the days of each part, [window], [loss], [risk] levels and quantiles, [baselines].
#pragma once

#include <memory>
#include <optional>

#include "finance/panel/panel.hpp"
#include "finance/tasks/volatility_features.hpp"
#include "tenon/plugin.hpp"

namespace tenon::finance {

TaskEntry volatility_task();

struct VolatilitySettings {
  PriceColumns columns;
  std::int64_t look_back = 1;
  bool student = true;               ///< innovations: Student's t, else normal
  std::vector<double> levels;        ///< of VaR, rising
  bool filtered = true;
  double level_half_life = 250;      ///< days; of the correction of the variance's level, 0: none
  std::int64_t residuals = 1000;     ///< days whose residuals `filtered` takes its quantiles from
  std::int64_t baseline_window = 1000, refit_every = 1;
  std::int64_t outputs() const { return student ? 2 : 1; }
};

/// What the model needs of the training rows.
struct VolatilityScale {
  double mean = 0;                             ///< of the return, per cent
  double log_ratio = 0;                        ///< logarithm of the return's variance over the mean of the averaged range variance
  std::vector<double> centre, deviation;       ///< one a feature
};

/// One-step forecasts for consecutive rows.
struct VolatilityForecasts {
  std::int64_t first = 0;                  ///< row of the first
  std::vector<double> variance, degrees;   ///< degrees: infinity for normal innovations
  std::vector<std::vector<double>> var;    ///< [level][day] positive losses, per cent; NaN where too few residuals precede
  std::vector<double> pit;                 ///< probability that the forecast gave to a return no higher than what came; NaN for the day after the last
};

class VolatilityTask final : public Task {
 public:
  explicit VolatilityTask(const TaskContext& context);

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
  /// Writes "<stem>.risk.csv": a row for each day that follows one of the file's last days, the last for the day after the file's end.
  std::vector<std::filesystem::path> predict(nn::Module& model, const std::vector<std::filesystem::path>& inputs,
                                             const PredictOptions& options) override;
  std::string state() const override;
  void load_state(const std::string& json) override;
  std::map<std::string, std::string> input_digests() const override;
  std::int64_t train_samples() const override;
  void require_inputs() const override;

  /// Forecasts for every row from the first with a whole window on, and one past the end. Depends on earlier rows alone.
  VolatilityForecasts forecast(nn::Module& model, const Panel& features, const Monitor& monitor) const;
  const Panel& features() const;

 private:
  struct Part {
    std::int64_t begin = 0, end = 0;
  };
  const ParamValues& section(const std::string& name) const;
  std::filesystem::path file() const;
  Panel read(const std::filesystem::path& file) const;
  void prepare();  ///< reads, cuts, scales
  Part part(const std::string& split) const;
  std::int64_t first_row() const { return std::max(kVolatilityWarmUp, settings_.look_back); }
  void fill_window(const Panel& features, std::int64_t row, std::span<float> window) const;
  double log_persistence(const Panel& features, std::int64_t row) const;  ///< log h_0 of the day `row`

  TaskContext context_;
  VolatilitySettings settings_;
  std::vector<Baseline> published_;
  std::optional<Panel> features_;
  Part train_, validation_, test_;
  VolatilityScale scale_;
  bool ready_ = false;
};

}  // namespace tenon::finance
