#include "finance/tasks/published.hpp"
#include "finance/tasks/volatility.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "finance/io/csv.hpp"
#include "finance/io/market.hpp"
#include "finance/tasks/dates.hpp"
#include "finance/tasks/window_runner.hpp"
#include "finance/volatility/risk.hpp"
#include "finance/volatility/special.hpp"
#include "tenon/data/sampler.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/sha256.hpp"
#include "tenon/losses.hpp"
#include "tenon/ops.hpp"

namespace tenon::finance {
namespace {

constexpr std::int64_t kFeatures = 6, kFirstFeature = 2;  ///< behind "return" and "range variance"
constexpr std::int64_t kPersistence = 4;                 ///< "range 20"
constexpr std::int64_t kFewestResiduals = 250;
constexpr double kLeastDegrees = 2.1;

const ParamSpec& volatility_data_params() {
  static const ParamSpec spec{
      path_param("file", "", "CSV of daily prices, one row a day; .gz is read too", true),
      text_param("open", "Open", "column of the first price of the day"),
      text_param("high", "High", "column of the highest"),
      text_param("low", "Low", "column of the lowest"),
      text_param("close", "Close", "column of the last"),
      text_param("price", "Adj Close", "column that returns are made of: adjusted for dividends and splits"),
      text_param("date_order", "auto", "order of dates such as 3/4/2005", {"auto", "day", "month"}),
      boolean_param("market", true, "check what prices must hold: order of open, high, low and close, signs, jumps of a split's ratio, order of times"),
      texts_param("splits", {}, "declared splits, DATE=RATIO; ratio 1 for a true move. The column of returns must be adjusted for the others"),
      text_param("train_until", "", "last day fitted on, as 2002-12-31"),
      text_param("validation_until", "", "last day for choices; empty: no such part"),
      text_param("test_until", "", "last day of the score; empty: all that are left"),
  };
  return spec;
}

const ParamSpec& volatility_window_params() {
  static const ParamSpec spec{integer_param("look_back", 1, "days of features that the model sees; they hold averages over 60 days", 1, 10000)};
  return spec;
}

const ParamSpec& volatility_loss_params() {
  static const ParamSpec spec{text_param("innovations", "student", "distribution of standardised returns whose likelihood is fitted", {"student", "normal"})};
  return spec;
}

const ParamSpec& risk_params() {
  static const ParamSpec spec{
      reals_param("levels", {0.01, 0.025, 0.05}, "tail probabilities of VaR, rising", 1e-6, 0.499),
      text_param("quantiles", "filtered", "filtered: of the standardised residuals of the last days; innovations: of the fitted distribution", {"filtered", "innovations"}),
      real_param("level_half_life", 250, "the variance is multiplied by the exponential average, of this half-life, of squared standardised returns before each day; 0: not", 0, 100000, "days"),
      integer_param("residuals", 1000, "filtered: days before a forecast whose residuals are taken, or as many as there are, 250 at least", kFewestResiduals, 1000000),
  };
  return spec;
}

const ParamSpec& volatility_baselines_params() {
  static const ParamSpec spec{
      integer_param("window", 1000, "days before each forecast that GARCH and historical simulation are fitted on", 100),
      integer_param("refit_every", 1, "days between two fits of GARCH", 1),
      published_by_column_param(),
  };
  return spec;
}

[[noreturn]] void refuse_key(const std::string& key, const std::string& what, const std::string& hint) {
  throw Error(ErrorKind::usage, "finance.recipe", key + ": " + what, hint, key);
}

}  // namespace

TaskEntry volatility_task() {
  TaskEntry entry;
  entry.name = "volatility";
  entry.help = "tomorrow's variance and value at risk from daily prices, tested beside GARCH and historical simulation";
  entry.sections = {{"data", volatility_data_params()},
                    {"window", volatility_window_params()},
                    {"loss", volatility_loss_params()},
                    {"risk", risk_params()},
                    {"baselines", volatility_baselines_params()}};
  entry.default_model = "finance.nlinear";
  entry.make = [](const TaskContext& context) -> std::unique_ptr<Task> { return std::make_unique<VolatilityTask>(context); };
  return entry;
}

const ParamValues& VolatilityTask::section(const std::string& name) const {
  const auto found = context_.sections.find(name);
  if (found == context_.sections.end()) throw_usage("VolatilityTask", "the recipe section [" + name + "] was not given");
  return found->second;
}

VolatilityTask::VolatilityTask(const TaskContext& context) : context_(context) {
  const ParamValues& data = section("data");
  settings_.columns = {data.text("open"), data.text("high"), data.text("low"), data.text("close"), data.text("price")};
  settings_.look_back = section("window").integer("look_back");
  settings_.student = section("loss").text("innovations") == "student";
  settings_.levels = section("risk").reals("levels");
  settings_.filtered = section("risk").text("quantiles") == "filtered";
  settings_.residuals = section("risk").integer("residuals");
  settings_.level_half_life = section("risk").real("level_half_life");
  settings_.baseline_window = section("baselines").integer("window");
  settings_.refit_every = section("baselines").integer("refit_every");
  if (settings_.levels.empty()) refuse_key("risk.levels", "empty", "name at least one, such as 0.01");
  for (std::size_t i = 1; i < settings_.levels.size(); ++i)
    if (!(settings_.levels[i] > settings_.levels[i - 1])) refuse_key("risk.levels", "not rising", "list them from small to large, each once");
  published_ = published_by_column(section("baselines"), columns(), {"QLIKE", "tail loss", "exceedances", "Kupiec p", "Christoffersen p"});
}

std::filesystem::path VolatilityTask::file() const {
  const std::filesystem::path given = section("data").text("file");
  return given.is_absolute() ? given : context_.recipe_directory / given;
}

void VolatilityTask::require_inputs() const {
  const auto info = files().stat(file());
  if (!info || info->is_directory)
    throw Error(ErrorKind::usage, "finance.no_file", "there is no file " + file().string(), "give data.file the path of a CSV", "data.file");
  if (section("data").text("train_until").empty()) refuse_key("data.train_until", "not given", "name the last day to fit on, as 2002-12-31");
}

Panel VolatilityTask::read(const std::filesystem::path& path) const {
  CsvOptions options;
  const std::string& order = section("data").text("date_order");
  if (order != "auto") options.date_order = order == "day" ? DateOrder::day_first : DateOrder::month_first;
  const PriceColumns& c = settings_.columns;
  std::vector<std::string> wanted;
  for (const auto& name : {c.open, c.high, c.low, c.close, c.price})
    if (std::find(wanted.begin(), wanted.end(), name) == wanted.end()) wanted.push_back(name);
  const Table table = read_csv(path, options);
  std::vector<std::string> warnings;
  if (section("data").boolean("market")) {
    MarketRules rules;
    rules.splits = section("data").texts("splits");
    rules.price = c.price;
    MarketFindings market = examine_market(table, rules);
    if (!market.splits.empty())
      throw Error(ErrorKind::data, "finance.split", "column '" + c.price + "' holds the jump of a declared split, and returns are made of it", "name an adjusted column in data.price",
                  path.string() + ":" + std::to_string(table.line_of(market.splits.front().row)));
    warnings = std::move(market.warnings);
  }
  Panel features = volatility_features(panel_of(table, wanted), c);
  for (auto& warning : warnings)
    if (std::find(features.notes.begin(), features.notes.end(), warning) == features.notes.end()) features.notes.push_back(std::move(warning));
  return features;
}

void VolatilityTask::prepare() {
  Panel features = read(file());
  auto row_after = [&](const char* key, std::int64_t otherwise) {
    const std::string& until = section("data").text(key);
    if (until.empty()) return otherwise;
    const std::int64_t end = date_of(until, std::string("data.") + key) + kNsPerDay;
    return std::int64_t(std::lower_bound(features.times.begin(), features.times.end(), end) - features.times.begin());
  };
  train_ = {first_row(), row_after("train_until", 0)};
  validation_ = {train_.end, row_after("validation_until", train_.end)};
  test_ = {validation_.end, row_after("test_until", features.rows())};
  if (train_.end - train_.begin < kFewestResiduals || validation_.end < validation_.begin || test_.end < test_.begin)
    throw Error(ErrorKind::usage, "finance.rows",
                std::to_string(std::max<std::int64_t>(train_.end - train_.begin, 0)) + " training days after a warm-up of " + std::to_string(first_row()) + ", of " +
                    std::to_string(features.rows()) + " in the file",
                "fit on " + std::to_string(kFewestResiduals) + " days at least, and let data.validation_until and data.test_until follow", "data.train_until");
  if (!ready_) {
    VolatilityScale scale;
    const double n = double(train_.end - train_.begin);
    auto moments = [&](std::int64_t column, double& mean, double& variance) {
      mean = variance = 0;
      for (std::int64_t t = train_.begin; t < train_.end; ++t) mean += features.at(t, column) / n;
      for (std::int64_t t = train_.begin; t < train_.end; ++t) variance += (features.at(t, column) - mean) * (features.at(t, column) - mean) / n;
      if (!(variance > 0)) throw Error(ErrorKind::data, "finance.constant_series", "the prices do not move over the training days", "check the file", file().string());
    };
    double variance = 0, averaged = 0;
    moments(0, scale.mean, variance);
    for (std::int64_t t = train_.begin; t < train_.end; ++t) averaged += std::exp(features.at(t - 1, kPersistence)) / n;
    scale.log_ratio = std::log(variance / averaged);
    for (std::int64_t f = 0; f < kFeatures; ++f) {
      double mean = 0, spread = 0;
      moments(kFirstFeature + f, mean, spread);
      scale.centre.push_back(mean);
      scale.deviation.push_back(std::sqrt(spread));
    }
    scale_ = std::move(scale);
    ready_ = true;
  }
  features_ = std::move(features);
}

std::vector<Problem> VolatilityTask::check(const Monitor&) {
  try {
    require_inputs();
    prepare();
    // a proof by recomputation that no feature of a day knows what came after it
    CsvOptions options;
    const std::string& order = section("data").text("date_order");
    if (order != "auto") options.date_order = order == "day" ? DateOrder::day_first : DateOrder::month_first;
    const PriceColumns& c = settings_.columns;
    const Panel prices = panel_of(read_csv(file(), options));
    require_no_look_ahead(prices, [&](const Panel& p) { return volatility_features(p, c); });
  } catch (const Error& e) {
    return {{e.code(), e.where().empty() ? file().string() : e.where(), e.message(), e.hint()}};
  }
  return {};
}

void VolatilityTask::load(const Monitor& monitor) {
  prepare();
  for (const auto& note : features_->notes) monitor.warn(note);
}

const Panel& VolatilityTask::features() const {
  if (!features_) throw_usage("VolatilityTask", "nothing is loaded yet");
  return *features_;
}

VolatilityTask::Part VolatilityTask::part(const std::string& split) const {
  if (split == "train") return train_;
  if (split == "validation") return validation_;
  if (split == "test") return test_;
  throw Error(ErrorKind::usage, "finance.part", "no split '" + split + "'", suggestion(split, {"train", "validation", "test"}), "split");
}

std::vector<std::string> VolatilityTask::splits() const {
  std::vector<std::string> list{"train"};
  for (const char* name : {"validation", "test"})
    if (part(name).end - part(name).begin > 1) list.emplace_back(name);
  return list;
}

ModelContext VolatilityTask::model_context() const { return {kFeatures, settings_.outputs(), {settings_.look_back, 1}, context_.compute}; }

std::vector<TensorSpec> VolatilityTask::batch_spec() const {
  return {{"features", Shape{context_.batch_size, settings_.look_back, kFeatures}, DType::f32}, {"return", Shape{context_.batch_size}, DType::f32}, {"persistence", Shape{context_.batch_size}, DType::f32}};
}

std::int64_t VolatilityTask::train_samples() const { return train_.end - train_.begin; }

void VolatilityTask::fill_window(const Panel& features, std::int64_t row, std::span<float> window) const {
  for (std::int64_t l = 0; l < settings_.look_back; ++l)
    for (std::int64_t f = 0; f < kFeatures; ++f)
      window[std::size_t(l * kFeatures + f)] =
          float((features.at(row - settings_.look_back + l, kFirstFeature + f) - scale_.centre[std::size_t(f)]) / scale_.deviation[std::size_t(f)]);
}

double VolatilityTask::log_persistence(const Panel& features, std::int64_t row) const { return features.at(row - 1, kPersistence) + scale_.log_ratio; }

void VolatilityTask::fill_batch(std::int64_t step, const Random& random, std::vector<Tensor>& batch) const {
  if (batch.size() != 3) throw_usage("VolatilityTask::fill_batch", std::to_string(batch.size()) + " tensors", "as many as batch_spec lists");
  const Panel& features = this->features();
  const data::ShuffleSampler order(train_samples(), random);
  const std::int64_t width = settings_.look_back * kFeatures;
  for (std::int64_t j = 0; j < context_.batch_size; ++j) {
    const std::int64_t row = train_.begin + order.at(step * context_.batch_size + j);
    fill_window(features, row, {batch[0].data<float>() + j * width, std::size_t(width)});
    batch[1].data<float>()[j] = float(features.at(row, 0) - scale_.mean);
    batch[2].data<float>()[j] = float(log_persistence(features, row));
  }
}

std::vector<std::pair<std::string, Tensor>> VolatilityTask::loss(nn::Module& model, const std::vector<Tensor>& batch) {
  const Tensor y = model.forward(batch.at(0)).to(DType::f32);
  const Shape expected{context_.batch_size, 1, settings_.outputs()};
  if (!(y.shape() == expected))
    throw Error(ErrorKind::usage, "finance.model_output", "the model gives " + y.shape().str() + " where the task needs " + expected.str(),
                "use a forecasting model: finance.nlinear, finance.lstm, finance.patchtst", "model.name");
  const Tensor& target = batch.at(1);
  const Tensor log_variance = add(y.select(2, 0).reshape(target.shape()), batch.at(2));
  const Tensor zero = mul(target, 0.0);
  if (!settings_.student) return {{"loss", gaussian_nll(zero, exp(log_variance), target, true)}};
  // h (nu - 2) / nu is the squared scale that gives the variance h
  const Tensor excess = add(exp(y.select(2, 1).reshape(target.shape())), kLeastDegrees - 2);
  const Tensor degrees = add(excess, 2.0);
  const Tensor scale = sqrt(mul(exp(log_variance), div(excess, degrees)));
  return {{"loss", student_t_nll(degrees, zero, scale, target)}};
}

VolatilityForecasts VolatilityTask::forecast(nn::Module& model, const Panel& features, const Monitor& monitor) const {
  VolatilityForecasts out;
  out.first = first_row();
  const std::int64_t days = features.rows() - out.first + 1;  // and the day after the last
  if (days < 2)
    throw Error(ErrorKind::data, "finance.short_history", std::to_string(features.rows()) + " days, the model needs " + std::to_string(first_row() + 1),
                "give a longer history", features.source);
  run_windows(
      model, {settings_.look_back, kFeatures, 1, settings_.outputs(), 512}, days,
      [&](std::int64_t i, std::span<float> window) { fill_window(features, out.first + i, window); },
      [&](std::int64_t i, std::span<const float> y) {
        out.variance.push_back(std::exp(log_persistence(features, out.first + i) + double(y[0])));
        out.degrees.push_back(settings_.student ? kLeastDegrees + std::exp(double(y[1])) : std::numeric_limits<double>::infinity());
      },
      monitor);
  out.var.assign(settings_.levels.size(), std::vector<double>(std::size_t(days), std::numeric_limits<double>::quiet_NaN()));
  out.pit.assign(std::size_t(days), std::numeric_limits<double>::quiet_NaN());
  std::vector<double> residuals;
  const double weight = settings_.level_half_life > 0 ? 1 - std::exp2(-1 / settings_.level_half_life) : 0;
  double level = 1;  // of the returns' variance against what the model says, from days before
  for (std::int64_t i = 0; i < days; ++i) {
    const std::size_t day = std::size_t(i);
    out.variance[day] *= level;
    const double deviation = std::sqrt(out.variance[day]);
    const std::size_t known = std::min(residuals.size(), std::size_t(settings_.residuals));
    std::vector<double> last(residuals.end() - std::ptrdiff_t(known), residuals.end());
    const bool enough = !settings_.filtered || known >= std::size_t(kFewestResiduals);
    std::sort(last.begin(), last.end());
    for (std::size_t k = 0; k < settings_.levels.size() && enough; ++k) {
      const double p = settings_.levels[k];
      const double q = settings_.filtered ? sample_quantile(last, p) : settings_.student ? unit_t_quantile(p, out.degrees[day]) : normal_quantile(p);
      out.var[k][day] = -(scale_.mean + deviation * q);
    }
    if (i + 1 == days) break;
    const double z = (features.at(out.first + i, 0) - scale_.mean) / deviation;
    if (settings_.filtered && enough)
      out.pit[day] = double(std::upper_bound(last.begin(), last.end(), z) - last.begin()) / double(known);
    else if (!settings_.filtered)
      out.pit[day] = settings_.student ? unit_t_cdf(z, out.degrees[day]) : normal_cdf(z);
    residuals.push_back(z);
    level *= 1 + weight * (z * z - 1);
  }
  return out;
}

std::string VolatilityTask::state() const {
  nlohmann::ordered_json out;
  out["format"] = 1;
  out["mean"] = scale_.mean;
  out["log_ratio"] = scale_.log_ratio;
  out["centre"] = scale_.centre;
  out["deviation"] = scale_.deviation;
  return out.dump(1) + "\n";
}

void VolatilityTask::load_state(const std::string& json) {
  try {
    const auto in = nlohmann::json::parse(json);
    VolatilityScale scale{in.at("mean").get<double>(), in.at("log_ratio").get<double>(), in.at("centre").get<std::vector<double>>(),
                          in.at("deviation").get<std::vector<double>>()};
    if (scale.centre.size() != std::size_t(kFeatures) || scale.deviation.size() != std::size_t(kFeatures))
      throw Error(ErrorKind::data, "finance.state", "what the task kept is of other features", "train again", "task.json");
    scale_ = std::move(scale);
    ready_ = true;
  } catch (const nlohmann::json::exception& e) {
    throw Error(ErrorKind::data, "finance.state", std::string("what the task kept for prediction cannot be read: ") + e.what(),
                "take task.json back from a copy of the run, or train again", "task.json");
  }
}

std::map<std::string, std::string> VolatilityTask::input_digests() const { return {{file().filename().string(), sha256_of_file(file())}}; }

double VolatilityTask::score(const Evaluation& evaluation) const {
  return evaluation.totals.empty() || !std::isfinite(evaluation.totals[0].value) ? -std::numeric_limits<double>::infinity() : -evaluation.totals[0].value;
}

}  // namespace tenon::finance
