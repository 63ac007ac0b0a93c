#include "climate/tasks/forecast.hpp"

#include <algorithm>
#include <cmath>

#include "climate/tasks/forecast_params.hpp"
#include "climate/tasks/params.hpp"
#include "tenon/data/sampler.hpp"
#include "tenon/error.hpp"
#include "tenon/io/sha256.hpp"
#include "tenon/ops.hpp"

namespace tenon::climate {
namespace fs = std::filesystem;

TaskEntry forecast_task() {
  TaskEntry entry;
  entry.name = "forecast";
  entry.help = "forecast the coming fields of a series from the last ones; scored by RMSE and anomaly correlation beside simple forecasters";
  entry.sections = {{"data", forecast_data_params()},
                    {"forecast", forecast_params()},
                    {"augment", forecast_augment_params()},
                    {"loss", forecast_loss_params()},
                    {"baselines", forecast_baselines_params()}};
  entry.default_model = "climate.unet";
  entry.make = [](const TaskContext& context) -> std::unique_ptr<Task> { return std::make_unique<ForecastTask>(context); };
  return entry;
}

ForecastTask::ForecastTask(const TaskContext& context)
    : context_(context), data_settings_(forecast_data_settings(section(context, "data"))), settings_(forecast_settings(context)) {
  published_baselines(section(context_, "baselines"), columns().size());  // refused here if it is refused
}

void ForecastTask::require_inputs() const { require_file(data_settings_.file, "data.file"); }

std::vector<Problem> ForecastTask::check(const Monitor& monitor) {
  monitor.turn("checking", 0, 1);
  try {
    const ForecastData data = ForecastData::load(data_settings_, nullptr);
    if (!data.suspects.empty()) monitor.warn(data_settings_.file.string() + ": " + data.suspects);
    samples_of(data);
  } catch (const Error& e) {
    return {{e.code(), e.where().empty() ? data_settings_.file.string() : e.where(), e.message(), e.hint()}};
  }
  return {};
}

std::vector<std::int64_t> ForecastTask::samples_of(const ForecastData& data) const {
  const AnomalySeries& a = data.anomalies;
  const std::int64_t history = settings_.base == ForecastBase::linear ? std::max(settings_.days, settings_.linear.days) : settings_.days;
  const std::size_t targets = settings_.mode == ForecastMode::rollout ? std::size_t(settings_.rollout_steps) : settings_.corrected;
  std::vector<std::int64_t> list;
  for (std::int64_t t = 0; t < a.times(); ++t) {
    bool whole = a.has_history(t, history, data.fitted);
    for (std::size_t l = 0; whole && l < targets; ++l) {
      const auto target = a.before(t, -(settings_.mode == ForecastMode::rollout ? std::int64_t(l) + 1 : settings_.leads[l]));
      whole = target && data.fitted[std::size_t(*target)];
    }
    if (whole) list.push_back(t);
  }
  if (list.empty())
    throw Error(ErrorKind::data, "climate.too_short", "no training sample has its history and its targets within the fit years", "give a longer fit period, or fewer days and shorter leads",
                data_settings_.file.string());
  return list;
}

void ForecastTask::load(const Monitor& monitor) {
  monitor.turn("reading", 0, 3);
  const ForecastData::Known known{climatology_, grid_, scale_};
  try {
    data_ = ForecastData::load(data_settings_, ready_ ? &known : nullptr);
  } catch (const Error& e) {
    throw e.at(data_settings_.file.string());
  }
  if (!data_->suspects.empty()) monitor.warn(data_settings_.file.string() + ": " + data_->suspects);
  if (!ready_) {
    variable_ = data_->series.variable;
    unit_ = data_->series.unit;
    grid_ = data_->series.grid;
    climatology_ = data_->climatology;
    scale_ = data_->scale;
  }
  if (data_settings_.score_unit.empty()) data_settings_.score_unit = unit_;
  monitor.turn("fitting the base forecast", 1, 3);
  const AnomalySeries& a = data_->anomalies;
  if (!ready_) {
    if (settings_.base == ForecastBase::damped) damping_ = damping(a, data_->fitted, settings_.leads);
    if (settings_.base == ForecastBase::linear) linear_ = LinearForecast::fit(a, data_->fitted, data_->point_weights, settings_.linear);
  }
  samples_ = samples_of(*data_);
  monitor.turn("forecasting the training samples", 2, 3);
  base_of_samples_.clear();
  if (settings_.mode == ForecastMode::direct && has_base() && !ready_) {
    const std::vector<float> all = base_forecasts(a, samples_, true);
    const std::size_t points = std::size_t(a.points), leads = settings_.leads.size();
    for (std::size_t i = 0; i < samples_.size(); ++i)
      base_of_samples_.insert(base_of_samples_.end(), all.begin() + std::ptrdiff_t(i * leads * points), all.begin() + std::ptrdiff_t((i * leads + settings_.corrected) * points));
  }
  ready_ = true;
}

std::vector<std::string> ForecastTask::splits() const {
  if (data_settings_.hold_back.empty()) return {"train", "validation"};
  return {"train", "validation", "test"};
}

std::vector<MetricColumn> ForecastTask::columns() const { return forecast_columns(settings_.leads, data_settings_.step_hours, data_settings_.score_unit); }

std::int64_t ForecastTask::extra_channels() const {
  return (settings_.show_base ? std::int64_t(settings_.corrected) : 0) + (settings_.season ? 2 : 0) + (settings_.position ? 3 : 0);
}

ModelContext ForecastTask::model_context() const {
  const std::int64_t out = settings_.mode == ForecastMode::rollout ? 1 : std::int64_t(settings_.corrected);
  return {day_channels() + extra_channels(), out, {grid_.rows(), grid_.columns()}, context_.compute, 1};
}

std::vector<TensorSpec> ForecastTask::batch_spec() const {
  const std::int64_t b = context_.batch_size, h = grid_.rows(), w = grid_.columns(), terms = std::int64_t(settings_.lead_weights.size());
  const std::int64_t extras = settings_.mode == ForecastMode::rollout ? extra_channels() * settings_.rollout_steps : extra_channels();
  return {{"days", Shape{b, h, w, day_channels()}, DType::f32},
          {"extras", Shape{b, h, w, std::max<std::int64_t>(extras, 1)}, DType::f32},  // one of zeros where there is none
          {"base", Shape{b, h, w, terms}, DType::f32},
          {"target", Shape{b, h, w, terms}, DType::f32},
          {"weight", Shape{1, h, 1, terms}, DType::f32}};
}

std::int64_t ForecastTask::train_samples() const { return std::int64_t(samples_.size()); }

void ForecastTask::put_days(const AnomalySeries& series, std::int64_t t, float* out, std::int64_t stride) const {
  for (std::int64_t k = 0; k < settings_.days; ++k) {
    const float* field = series.field(series.before(t, k).value());
    for (std::int64_t p = 0; p < series.points; ++p) out[p * stride + k] = float(double(field[p]) / scale_);
  }
}

void ForecastTask::put_extras(double phase, const float* base, float* out, std::int64_t stride) const {
  const std::int64_t points = grid_.points();
  std::int64_t channel = 0;
  if (settings_.show_base)
    for (std::size_t l = 0; l < settings_.corrected; ++l, ++channel)
      for (std::int64_t p = 0; p < points; ++p) out[p * stride + channel] = float(double(base[std::int64_t(l) * points + p]) / scale_);
  if (settings_.season) {
    const double angle = 2 * M_PI * phase;
    for (std::int64_t p = 0; p < points; ++p) {
      out[p * stride + channel] = float(std::sin(angle));
      out[p * stride + channel + 1] = float(std::cos(angle));
    }
    channel += 2;
  }
  if (settings_.position) {
    const std::int64_t rows = grid_.rows(), columns = grid_.columns();
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < columns; ++c) {
        float* o = out + (r * columns + c) * stride + channel;
        o[0] = float(grid_.latitude[std::size_t(r)] / 90);
        o[1] = rows > 1 ? float(2.0 * double(r) / double(rows - 1) - 1) : 0;
        o[2] = columns > 1 ? float(2.0 * double(c) / double(columns - 1) - 1) : 0;
      }
  }
}

void ForecastTask::fill_batch(std::int64_t step, const Random& random, std::vector<Tensor>& batch) const {
  if (!data_) throw_usage("ForecastTask::fill_batch", "nothing is loaded yet");
  const AnomalySeries& a = data_->anomalies;
  const std::int64_t points = a.points, days = day_channels(), terms = std::int64_t(settings_.lead_weights.size());
  const std::int64_t extras = batch.at(1).size(3), width = extra_channels();
  const bool rollout = settings_.mode == ForecastMode::rollout;
  const data::ShuffleSampler order(std::int64_t(samples_.size()), random.child(1)), others(std::int64_t(samples_.size()), random.child(2));
  const Random chance = random.child(3);
  for (int i = 0; i < 4; ++i) std::fill(batch[std::size_t(i)].span<float>().begin(), batch[std::size_t(i)].span<float>().end(), 0.0f);

  // Adds `share` of sample s to the batch's place j.
  std::vector<float> row(std::size_t(points * std::max(days, extras)));
  auto blend_in = [&](std::int64_t s, std::int64_t j, float share) {
    const std::int64_t t = samples_[std::size_t(s)];
    auto add = [&](Tensor& to, std::int64_t channels) {
      float* out = to.data<float>() + j * points * channels;
      for (std::int64_t i = 0; i < points * channels; ++i) out[i] += share * row[std::size_t(i)];
    };
    put_days(a, t, row.data(), days);
    add(batch[0], days);
    const float* base = base_of_samples_.empty() ? nullptr : base_of_samples_.data() + s * terms * points;
    if (width > 0) {
      for (std::int64_t k = 0; k < (rollout ? settings_.rollout_steps : 1); ++k)
        put_extras(phase_of_year(data_->series.calendar, a.ticks[std::size_t(t)] + k * a.step), base, row.data() + k * width, extras);
      add(batch[1], extras);
    }
    float *b = batch[2].data<float>() + j * points * terms, *y = batch[3].data<float>() + j * points * terms;
    for (std::int64_t l = 0; l < terms; ++l) {
      const float* field = a.field(a.before(t, -(rollout ? l + 1 : settings_.leads[std::size_t(l)])).value());
      for (std::int64_t p = 0; p < points; ++p) {
        y[p * terms + l] += share * float(double(field[p]) / scale_);
        if (base) b[p * terms + l] += share * float(double(base[l * points + p]) / scale_);
      }
    }
  };
  for (std::int64_t j = 0; j < context_.batch_size; ++j) {
    const std::int64_t position = step * context_.batch_size + j;
    const auto drawn = chance.bits(std::uint64_t(position));
    const bool mixed = uniform_from_bits(drawn[0]) < settings_.mixup;
    const float share = mixed ? uniform_from_bits(drawn[1]) : 1.0f;
    blend_in(order.at(position), j, share);
    if (mixed) blend_in(others.at(position), j, 1 - share);
    if (settings_.noise <= 0) continue;
    const Random noise = random.child(4).child(std::uint64_t(position));
    float* x = batch[0].data<float>() + j * points * days;
    for (std::int64_t i = 0; i < points * days; ++i) x[i] += float(settings_.noise) * noise.normal(std::uint64_t(i));
  }
  float* w = batch[4].data<float>();
  for (std::int64_t r = 0; r < grid_.rows(); ++r)
    for (std::int64_t l = 0; l < terms; ++l) *w++ = float(data_->row_weights[std::size_t(r)] * settings_.lead_weights[std::size_t(l)]);
}

std::vector<std::pair<std::string, Tensor>> ForecastTask::loss(nn::Module& model, const std::vector<Tensor>& batch) {
  const Tensor &days = batch.at(0), &extras = batch.at(1), &base = batch.at(2), &target = batch.at(3), &weight = batch.at(4);
  const std::int64_t width = extra_channels();
  Tensor total;
  std::size_t terms = 0;
  if (settings_.mode == ForecastMode::direct) {
    for (const Tensor& correction : model.forward_all({width > 0 ? concat({days, extras}, -1) : days})) {
      const Tensor term = mean(square(correction + base - target) * weight);
      total = total.defined() ? total + term : term;
      ++terms;
    }
  } else {
    // A rollout is of the model as it forecasts: of the members' mean.
    Tensor state = days;
    for (std::int64_t s = 0; s < settings_.rollout_steps; ++s) {
      const Tensor seen = width > 0 ? concat({state, extras.narrow(3, s * width, width).contiguous()}, -1) : state;
      const Tensor next = state.narrow(3, 0, 1).contiguous() + model.forward(seen);
      const Tensor term = mean(square(next - target.narrow(3, s, 1).contiguous()) * weight.narrow(3, s, 1).contiguous());
      total = total.defined() ? total + term : term;
      ++terms;
      state = settings_.days > 1 ? concat({next, state.narrow(3, 0, settings_.days - 1).contiguous()}, -1) : next;
    }
  }
  if (terms == 0) throw_usage("ForecastTask::loss", "the model gives no output");
  return {{"loss", total * (1.0 / double(terms))}};
}

double ForecastTask::score(const Evaluation& e) const {
  // Mean share of the climatological variance that is explained, over leads.
  const auto climatology = std::find_if(e.baselines.begin(), e.baselines.end(), [](const Baseline& b) { return b.name == "climatology"; });
  if (climatology == e.baselines.end() || e.cases.empty()) return -INFINITY;
  double sum = 0;
  for (std::size_t l = 0; l < settings_.leads.size(); ++l) {
    double square = 0;
    for (const auto& c : e.cases) square += c.values[l] * c.values[l];
    sum += 1 - square / double(e.cases.size()) / (climatology->values[l] * climatology->values[l]);
  }
  return sum / double(settings_.leads.size());
}

std::map<std::string, std::string> ForecastTask::input_digests() const {
  return {{data_settings_.file.filename().string(), sha256_of_file(data_settings_.file)}};
}

}  // namespace tenon::climate
