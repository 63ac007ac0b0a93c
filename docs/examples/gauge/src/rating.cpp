/// The task: the flow that belongs to a level. Measurements are made here; a task of yours reads them.
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "gauge.hpp"
#include "tenon/autograd.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/losses.hpp"
#include "tenon/metrics.hpp"
#include "tenon/ops.hpp"

namespace gauge_plugin {
namespace {

using namespace tenon;
namespace fs = std::filesystem;

struct Measured {
  std::vector<float> level, flow;  // m, m3 s-1
};

/// Low water in a channel, high water over its banks; flows are known to a few per cent.
Measured measure(const Random& random, std::int64_t n, double error) {
  Measured m;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto at = static_cast<std::uint64_t>(2 * i);
    const float level = random.uniform(at, 0.1f, 4), bank = std::max(level - 2.5f, 0.0f);
    const float flow = 12 * std::pow(level, 5.0f / 3) + 90 * std::pow(bank, 5.0f / 3);
    m.level.push_back(level);
    m.flow.push_back(flow * (1 + static_cast<float>(error) * random.normal(at + 1)));
  }
  return m;
}

class Rating final : public Task {
 public:
  explicit Rating(const TaskContext& context)
      : batch_(context.batch_size),
        samples_(context.sections.at("data").integer("samples")),
        error_(context.sections.at("data").real("error")),
        compute_(context.compute) {}

  std::vector<Problem> check(const Monitor&) override { return {}; }  // with files: every defect, one Problem each
  void load(const Monitor&) override {
    const Random random(0x9a06e, 0);
    training_ = measure(random.child(0), samples_, error_);
    validation_ = measure(random.child(1), 256, error_);
    double sum = 0;
    for (const float flow : training_.flow) sum += static_cast<double>(flow);
    unit_ = sum / static_cast<double>(samples_);
  }
  std::vector<std::string> splits() const override { return {"validation"}; }
  std::vector<MetricColumn> columns() const override { return {{"RMSE", "m3 s-1", false}, {"bias", "m3 s-1", false, true, 0.0}}; }
  ModelContext model_context() const override {
    ModelContext context;  // one channel in, one out, no spatial axes
    context.compute = compute_;
    return context;
  }
  // With a number of samples, recipes may say train.epochs.
  std::int64_t train_samples() const override { return samples_; }
  std::vector<TensorSpec> batch_spec() const override { return {{"level", Shape{batch_, 1}}, {"flow", Shape{batch_, 1}}}; }
  // Called by several threads: it reads members, and all chance comes from `random`.
  void fill_batch(std::int64_t step, const Random& random, std::vector<Tensor>& batch) const override {
    for (std::int64_t i = 0; i < batch_; ++i) {
      const auto k =
          static_cast<std::size_t>(random.below(static_cast<std::uint64_t>(step * batch_ + i), static_cast<std::uint64_t>(samples_)));
      batch[0].span<float>()[static_cast<std::size_t>(i)] = training_.level[k];
      batch[1].span<float>()[static_cast<std::size_t>(i)] = training_.flow[k] / static_cast<float>(unit_);
    }
  }
  // Recorded once: values are not read here. The first is minimised, the others are logged.
  std::vector<std::pair<std::string, Tensor>> loss(nn::Module& model, const std::vector<Tensor>& batch) override {
    const Tensor guess = model(batch[0]);
    return {{"loss", huber_loss(guess, batch[1])}, {"squared", mse_loss(guess, batch[1])}};
  }

  Evaluation evaluate(nn::Module& model, const std::string& split, int, const Monitor&) override {
    const std::vector<double> level(validation_.level.begin(), validation_.level.end()),
        flow(validation_.flow.begin(), validation_.flow.end());
    const std::vector<double> guess = flows(model, validation_.level);
    Evaluation result;
    result.split = split;
    result.columns = columns();
    for (std::size_t i = 0; i < flow.size(); ++i)
      result.cases.push_back({"measurement " + std::to_string(i), {std::abs(guess[i] - flow[i]), guess[i] - flow[i]}, {}});
    // A root taken after the mean is no mean of the cases' values: the total is given, with an interval of its own.
    result.totals = {bootstrap_of(
                         {}, [](auto x, auto truth) { return rmse(x, truth); }, guess, flow),
                     bootstrap_of(
                         {}, [](auto x, auto truth) { return bias(x, truth); }, guess, flow)};
    result.notes = {"intervals: 95 %, 2000 resamples of the measurements"};
    // What one gets without the model: a single power law, fitted to the same training data by logarithms.
    double sx = 0, sy = 0, sxx = 0, sxy = 0;
    for (std::size_t i = 0; i < training_.level.size(); ++i) {
      const double x = std::log(static_cast<double>(training_.level[i])),
                   y = std::log(static_cast<double>(std::max(training_.flow[i], 1e-3f)));
      sx += x, sy += y, sxx += x * x, sxy += x * y;
    }
    const auto n = static_cast<double>(training_.level.size());
    const double power = (sxy - sx * sy / n) / (sxx - sx * sx / n), factor = std::exp((sy - power * sx) / n);
    std::vector<double> law;
    for (const double h : level) law.push_back(factor * std::pow(h, power));
    result.baselines = {{"power law", {rmse(law, flow), bias(law, flow)}, "computed on this split; fitted to the training data"}};
    Chart chart;
    chart.title = "Rating curve";
    chart.x = "level (m)";
    chart.y = "flow (m3 s-1)";
    std::vector<float> levels;
    std::vector<double> x;
    for (int i = 1; i <= 80; ++i) levels.push_back(0.05f * static_cast<float>(i)), x.push_back(0.05 * i);
    chart.curves = {{"measured", level, flow, {}, {}, Curve::Kind::points}, {"model", x, flows(model, levels)}};
    result.charts = {chart};
    return result;
  }
  double score(const Evaluation& evaluation) const override { return -evaluation.totals.at(0).value; }  // higher is better

  std::vector<fs::path> predict(nn::Module& model, const std::vector<fs::path>& inputs, const PredictOptions& options) override {
    PluginHost& host = PluginHost::instance();
    std::vector<fs::path> outputs;
    for (const fs::path& input : inputs) {  // what cannot be written is found before anything is computed
      outputs.push_back(options.output / (input.stem().string() + "_rated.gauge"));
      if (!options.overwrite && file_exists(outputs.back()))
        throw Error(ErrorKind::usage, "predict.exists", "the result is there already", "say --overwrite, or another folder",
                    outputs.back().string());
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      options.monitor.turn("predicting", static_cast<std::int64_t>(i), static_cast<std::int64_t>(inputs.size()));
      const FormatEntry& format = host.format("gauge.series");
      LabelledArray series = format.read(inputs[i], ParamValues(format.params));
      const std::span<float> values = series.values.span<float>();
      std::vector<float> levels;
      for (std::size_t k = 0; k < values.size(); k += 2) levels.push_back(values[k]);
      const std::vector<double> guess = flows(model, levels);
      for (std::size_t k = 0; k < guess.size(); ++k) values[2 * k + 1] = static_cast<float>(guess[k]);
      files().make_directories(options.output);
      format.write(outputs[i], series, ParamValues(format.params));
    }
    return outputs;
  }

  // What prediction needs besides the weights: no training data is there then.
  std::string state() const override { return nlohmann::json{{"unit", unit_}}.dump(); }
  void load_state(const std::string& json) override {
    const auto state = nlohmann::json::parse(json, nullptr, false);
    if (!state.is_object() || !state.contains("unit") || !state["unit"].is_number())
      throw Error(ErrorKind::data, "gauge.state", "it holds no unit of flow", "train again");
    unit_ = state["unit"].get<double>();
  }
  std::map<std::string, std::string> input_digests() const override { return {}; }  // path -> sha256_of_file, of what load() read

 private:
  std::vector<double> flows(nn::Module& model, const std::vector<float>& levels) const {
    const NoGrad off;
    const bool training = model.training();
    model.eval();
    const auto n = static_cast<std::int64_t>(levels.size());
    const std::vector<double> out = model(Tensor::from(levels, Shape{n, 1})).to_vector();
    model.train(training);
    std::vector<double> flow;
    for (const double v : out) flow.push_back(v * unit_);
    return flow;
  }

  std::int64_t batch_, samples_;
  double error_, unit_ = 1;
  DType compute_;
  Measured training_, validation_;
};

}  // namespace

TaskEntry rating_task() {
  TaskEntry entry;
  entry.name = "rating";
  entry.help = "flow from level, on made measurements; scored by the root mean square error";
  entry.sections = {{"data",
                     {integer_param("samples", 512, "measurements to learn from", 8, 1e7),
                      real_param("error", 0.05, "relative error of a measured flow", 0, 1)}}};
  entry.default_model = "gauge.curve";
  entry.make = [](const TaskContext& context) -> std::unique_ptr<Task> { return std::make_unique<Rating>(context); };
  return entry;
}

}  // namespace gauge_plugin
