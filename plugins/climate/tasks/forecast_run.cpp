// Running the forecasting task's model: every lead at once, or step by step.
#include <algorithm>
#include <cmath>

#include "climate/tasks/forecast.hpp"
#include "climate/tasks/model_runner.hpp"
#include "tenon/error.hpp"
#include "tenon/kernel.hpp"

namespace tenon::climate {
namespace {

constexpr std::int64_t kBatch = 64;

}  // namespace

std::vector<float> ForecastTask::base_forecasts(const AnomalySeries& series, const std::vector<std::int64_t>& initial, bool left_out) const {
  if (settings_.base == ForecastBase::linear) return linear_->forecast(series, initial, left_out);
  if (settings_.base == ForecastBase::none) return {};
  const std::int64_t leads = std::int64_t(settings_.leads.size()), points = series.points;
  std::vector<float> result(initial.size() * std::size_t(leads * points));
  for (std::size_t i = 0; i < initial.size(); ++i)
    for (std::int64_t l = 0; l < leads; ++l) {
      const double factor = settings_.base == ForecastBase::persistence ? 1 : damping_[std::size_t(l)];
      const float* now = series.field(initial[i]);
      float* out = result.data() + (std::int64_t(i) * leads + l) * points;
      for (std::int64_t p = 0; p < points; ++p) out[p] = float(factor * double(now[p]));
    }
  return result;
}

std::vector<float> ForecastTask::forecasts(nn::Module& model, const AnomalySeries& series, Calendar calendar, const std::vector<std::int64_t>& initial,
                                           const Monitor& monitor) const {
  return settings_.mode == ForecastMode::direct ? direct_forecasts(model, series, calendar, initial, monitor) : rollout_forecasts(model, series, calendar, initial, monitor);
}

std::vector<float> ForecastTask::direct_forecasts(nn::Module& model, const AnomalySeries& series, Calendar calendar, const std::vector<std::int64_t>& initial,
                                                  const Monitor& monitor) const {
  const std::int64_t points = series.points, leads = std::int64_t(settings_.leads.size()), corrected = std::int64_t(settings_.corrected);
  const std::int64_t channels = day_channels() + extra_channels(), count = std::int64_t(initial.size());
  std::vector<float> result = base_forecasts(series, initial, false);
  if (result.empty()) result.assign(std::size_t(count * leads * points), 0.0f);
  ModelRunner runner(model);
  for (std::int64_t begin = 0; begin < count; begin += kBatch) {
    monitor.turn("forecasting", begin, count);
    const std::int64_t n = std::min(kBatch, count - begin);
    const Tensor x = Tensor::zeros(Shape{n, grid_.rows(), grid_.columns(), channels});
    parallel_for(n, [&](std::int64_t i) {
      const std::int64_t t = initial[std::size_t(begin + i)];
      float* out = x.data<float>() + i * points * channels;
      put_days(series, t, out, channels);
      put_extras(phase_of_year(calendar, series.ticks[std::size_t(t)]), result.data() + (begin + i) * leads * points, out + day_channels(), channels);
    });
    const Tensor y = runner.run(x, n);
    if (y.size(3) != corrected) throw Error(ErrorKind::usage, "climate.model_output", "the model gives " + std::to_string(y.size(3)) + " fields for " + std::to_string(corrected) + " leads", "");
    parallel_for(n, [&](std::int64_t i) {
      for (std::int64_t l = 0; l < corrected; ++l) {
        float* out = result.data() + ((begin + i) * leads + l) * points;
        const float* from = y.data<float>() + i * points * corrected + l;
        for (std::int64_t p = 0; p < points; ++p) out[p] = float(double(out[p]) + scale_ * double(from[p * corrected]));
      }
    });
  }
  return result;
}

std::vector<float> ForecastTask::rollout_forecasts(nn::Module& model, const AnomalySeries& series, Calendar calendar, const std::vector<std::int64_t>& initial,
                                                   const Monitor& monitor) const {
  const std::int64_t points = series.points, leads = std::int64_t(settings_.leads.size()), days = day_channels();
  const std::int64_t channels = days + extra_channels(), count = std::int64_t(initial.size());
  std::vector<float> result(std::size_t(count * leads * points));
  ModelRunner runner(model);
  for (std::int64_t begin = 0; begin < count; begin += kBatch) {
    monitor.turn("forecasting", begin, count);
    const std::int64_t n = std::min(kBatch, count - begin);
    std::vector<float> state(std::size_t(n * points * days));
    for (std::int64_t i = 0; i < n; ++i) put_days(series, initial[std::size_t(begin + i)], state.data() + i * points * days, days);
    const Tensor x = Tensor::zeros(Shape{n, grid_.rows(), grid_.columns(), channels});
    std::size_t lead = 0;
    for (std::int64_t step = 1; step <= settings_.leads.back(); ++step) {
      parallel_for(n, [&](std::int64_t i) {
        const std::int64_t t = initial[std::size_t(begin + i)];
        float* out = x.data<float>() + i * points * channels;
        for (std::int64_t p = 0; p < points; ++p) std::copy_n(state.data() + (i * points + p) * days, days, out + p * channels);
        put_extras(phase_of_year(calendar, series.ticks[std::size_t(t)] + (step - 1) * series.step), nullptr, out + days, channels);
      });
      const Tensor y = runner.run(x, n);
      if (y.size(3) != 1) throw Error(ErrorKind::usage, "climate.model_output", "the model gives " + std::to_string(y.size(3)) + " fields for one step", "");
      parallel_for(n, [&](std::int64_t i) {
        for (std::int64_t p = 0; p < points; ++p) {
          float* s = state.data() + (i * points + p) * days;
          const float next = s[0] + y.data<float>()[i * points + p];
          for (std::int64_t k = days - 1; k > 0; --k) s[k] = s[k - 1];
          s[0] = next;
          if (step == settings_.leads[lead]) result[std::size_t(((begin + i) * leads + std::int64_t(lead)) * points + p)] = float(scale_ * double(next));
        }
      });
      lead += step == settings_.leads[lead];
    }
  }
  return result;
}

}  // namespace tenon::climate
