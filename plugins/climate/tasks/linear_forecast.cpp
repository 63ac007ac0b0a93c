#include "climate/tasks/linear_forecast.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "tenon/error.hpp"
#include "tenon/kernel.hpp"
#include "tenon/linalg.hpp"
#include "tenon/ops.hpp"

namespace tenon::climate {
namespace {

Tensor transposed(const Tensor& t) { return t.transpose(0, 1).contiguous(); }

/// Sums over the samples of one year: of features by features, and of features by targets.
struct Moments {
  Tensor gram, cross;
  double target_square = 0;
  std::int64_t samples = 0;
};

/// (G + lambda I)^-1 H.
Tensor ridge_solution(const Tensor& gram, const Tensor& cross, double lambda) {
  const Tensor g = gram.clone();
  const std::int64_t n = g.size(0);
  for (std::int64_t i = 0; i < n; ++i) g.data<double>()[i * n + i] += lambda;
  return linalg::cholesky_solve(linalg::cholesky(g), cross).contiguous();
}

/// Squared error over the samples behind `m` of the matrix b.
double squared_error(const Moments& m, const Tensor& b) {
  return m.target_square + sum(b * (matmul(m.gram, b) - m.cross * 2.0)).item();
}

double mean_diagonal(const Tensor& gram) {
  double sum = 0;
  for (std::int64_t i = 0; i < gram.size(0); ++i) sum += gram.data<double>()[i * gram.size(0) + i];
  return sum / double(gram.size(0));
}

/// The amplitudes at t and the days before it, f64 [rows, days count].
Tensor features_of(const AnomalySeries& series, const Tensor& amplitudes, const std::vector<std::int64_t>& initial, std::int64_t days) {
  const std::int64_t count = amplitudes.size(1);
  Tensor z = Tensor::empty(Shape{std::int64_t(initial.size()), days * count}, DType::f64);
  for (std::size_t i = 0; i < initial.size(); ++i)
    for (std::int64_t k = 0; k < days; ++k)
      std::copy_n(amplitudes.data<double>() + series.before(initial[i], k).value() * count, count, z.data<double>() + (std::int64_t(i) * days + k) * count);
  return z;
}

}  // namespace

std::optional<std::int64_t> AnomalySeries::before(std::int64_t t, std::int64_t steps) const {
  const std::int64_t wanted = ticks[std::size_t(t)] - steps * step, near = t - steps;
  if (near >= 0 && near < times() && ticks[std::size_t(near)] == wanted) return near;
  const auto found = std::lower_bound(ticks.begin(), ticks.end(), wanted);
  if (found == ticks.end() || *found != wanted) return {};
  return found - ticks.begin();
}

bool AnomalySeries::has_history(std::int64_t t, std::int64_t days, const std::vector<char>& usable) const {
  for (std::int64_t k = 0; k < days; ++k) {
    const auto at = before(t, k);
    if (!at || !usable[std::size_t(*at)]) return false;
  }
  return true;
}

std::vector<double> damping(const AnomalySeries& series, const std::vector<char>& usable, const std::vector<std::int64_t>& leads) {
  std::vector<double> factors;
  for (const std::int64_t lead : leads) {
    double xy = 0, xx = 0;
    for (std::int64_t t = 0; t < series.times(); ++t) {
      const auto target = series.before(t, -lead);
      if (!usable[std::size_t(t)] || !target || !usable[std::size_t(*target)]) continue;
      const float *x = series.field(t), *y = series.field(*target);
      for (std::int64_t p = 0; p < series.points; ++p) {
        xy += double(x[p]) * double(y[p]);
        xx += double(x[p]) * double(x[p]);
      }
    }
    factors.push_back(xx > 0 ? xy / xx : 0);
  }
  return factors;
}

LinearForecast::LinearForecast(LinearSettings settings, Eofs eofs, std::vector<double> factors, std::vector<Tensor> matrices)
    : settings_(std::move(settings)), eofs_(std::move(eofs)), damping_(std::move(factors)), matrices_(std::move(matrices)) {}

LinearForecast LinearForecast::fit(const AnomalySeries& series, const std::vector<char>& usable, const std::vector<double>& weights, const LinearSettings& settings) {
  std::vector<std::int64_t> times;
  for (std::int64_t t = 0; t < series.times(); ++t)
    if (usable[std::size_t(t)]) times.push_back(t);
  LinearForecast f;
  f.settings_ = settings;
  f.eofs_ = fit_eofs(series.values.data(), series.points, times, weights, settings.eofs);
  f.damping_ = damping(series, usable, settings.leads);
  if (!settings.damped) std::fill(f.damping_.begin(), f.damping_.end(), 0.0);
  const Tensor amplitudes = f.eofs_.amplitudes(series.values.data(), series.times());
  const std::int64_t count = settings.eofs;
  std::set<std::int64_t> years;
  for (auto t : times) years.insert(series.year[std::size_t(t)]);
  f.years_.assign(years.begin(), years.end());

  for (std::size_t l = 0; l < settings.leads.size(); ++l) {
    const std::int64_t lead = settings.leads[l];
    std::map<std::int64_t, std::vector<std::int64_t>> initial;  // by the target's year
    for (auto t : times) {
      const auto target = series.before(t, -lead);
      if (target && usable[std::size_t(*target)] && series.has_history(t, settings.days, usable)) initial[series.year[std::size_t(*target)]].push_back(t);
    }
    std::map<std::int64_t, Moments> by_year;
    Moments all;
    for (const auto& [year, list] : initial) {
      const Tensor z = features_of(series, amplitudes, list, settings.days);
      Tensor y = Tensor::empty(Shape{std::int64_t(list.size()), count}, DType::f64);
      for (std::size_t i = 0; i < list.size(); ++i) {
        const double *target = amplitudes.data<double>() + series.before(list[i], -lead).value() * count, *now = amplitudes.data<double>() + list[i] * count;
        for (std::int64_t k = 0; k < count; ++k) y.data<double>()[std::int64_t(i) * count + k] = target[k] - f.damping_[l] * now[k];
      }
      Moments m{matmul(transposed(z), z), matmul(transposed(z), y), sum(y * y).item(), std::int64_t(list.size())};
      all.gram = all.gram.defined() ? all.gram + m.gram : m.gram;
      all.cross = all.cross.defined() ? all.cross + m.cross : m.cross;
      all.samples += m.samples;
      by_year.emplace(year, std::move(m));
    }
    if (all.samples < settings.days * count)
      throw Error(ErrorKind::data, "climate.too_short",
                  std::to_string(all.samples) + " training pairs at lead " + std::to_string(lead) + " for a linear model of " + std::to_string(settings.days * count) + " predictors",
                  "give a longer period, or fewer patterns and days");
    const double unit = mean_diagonal(all.gram);
    double best = settings.ridge;
    if (settings.choose_ridge && by_year.size() > 1) {
      double least = INFINITY;
      for (int k = -8; k <= 4; ++k) {  // half decades from 1e-4 to 100
        const double share = std::pow(10.0, k / 2.0);
        double error = 0;
        for (const auto& [year, m] : by_year) error += squared_error(m, ridge_solution(all.gram - m.gram, all.cross - m.cross, share * unit));
        if (error < least) least = error, best = share;
      }
    }
    f.strengths_.push_back(best);
    f.matrices_.push_back(ridge_solution(all.gram, all.cross, best * unit));
    std::vector<Tensor> without;
    for (const auto year : f.years_) {
      const auto m = by_year.find(year);
      // A year alone cannot be left out: there the whole is used.
      const bool can = m != by_year.end() && by_year.size() > 1 && (best > 0 || all.samples - m->second.samples >= settings.days * count);
      without.push_back(can ? ridge_solution(all.gram - m->second.gram, all.cross - m->second.cross, best * unit) : f.matrices_.back());
    }
    f.without_.push_back(std::move(without));
  }
  return f;
}

std::vector<float> LinearForecast::forecast(const AnomalySeries& series, const std::vector<std::int64_t>& initial, bool left_out) const {
  const std::int64_t points = series.points, count = eofs_.count(), leads = std::int64_t(settings_.leads.size());
  if (points != eofs_.points()) throw_usage("LinearForecast", std::to_string(points) + " points, fitted on " + std::to_string(eofs_.points()));
  const Tensor amplitudes = eofs_.amplitudes(series.values.data(), series.times());
  const Tensor z = features_of(series, amplitudes, initial, settings_.days);
  const std::int64_t width = z.size(1);
  std::vector<float> result(initial.size() * std::size_t(leads * points));
  parallel_for(std::int64_t(initial.size()), [&](std::int64_t i) {
    const std::int64_t t = initial[std::size_t(i)];
    std::vector<double> amplitude(static_cast<std::size_t>(count)), field(static_cast<std::size_t>(points));
    for (std::int64_t l = 0; l < leads; ++l) {
      const Tensor* matrix = &matrices_[std::size_t(l)];
      if (left_out && !without_.empty()) {
        const auto target = series.before(t, -settings_.leads[std::size_t(l)]);
        const std::int64_t year = series.year[std::size_t(target.value_or(t))];
        if (const auto at = std::find(years_.begin(), years_.end(), year); at != years_.end()) matrix = &without_[std::size_t(l)][std::size_t(at - years_.begin())];
      }
      const double* b = matrix->data<double>();
      std::fill(amplitude.begin(), amplitude.end(), 0.0);
      for (std::int64_t j = 0; j < width; ++j) {
        const double zj = z.data<double>()[i * width + j];
        for (std::int64_t k = 0; k < count; ++k) amplitude[std::size_t(k)] += zj * b[j * count + k];
      }
      std::fill(field.begin(), field.end(), 0.0);
      eofs_.add_field(amplitude.data(), field.data());
      const float* now = series.field(t);
      float* out = result.data() + (i * leads + l) * points;
      for (std::int64_t p = 0; p < points; ++p) out[p] = float(field[std::size_t(p)] + damping_[std::size_t(l)] * double(now[p]));
    }
  });
  return result;
}

}  // namespace tenon::climate
