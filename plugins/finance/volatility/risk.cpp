#include "finance/volatility/risk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "finance/volatility/special.hpp"
#include "tenon/error.hpp"
#include "tenon/kernel.hpp"

namespace tenon::finance {
namespace {

double x_log_y(double x, double y) { return x == 0 ? 0 : x * std::log(y); }

/// Mean of the unit-variance innovation below its quantile at level p, as a loss.
double innovation_shortfall(double p, const GarchModel& m, double nu) {
  if (m.innovation == Innovation::normal) return normal_density(normal_quantile(p)) / p;
  // t scaled by sqrt((nu - 2) / nu): -E[T | T < q] = density(q) (nu + q^2) / ((nu - 1) p)
  const double scale = std::sqrt((nu - 2) / nu), q = unit_t_quantile(p, nu) / scale;
  const double density = std::exp(std::lgamma((nu + 1) / 2) - std::lgamma(nu / 2)) / std::sqrt(nu * 3.14159265358979323846) * std::pow(1 + q * q / nu, -(nu + 1) / 2);
  return scale * density * (nu + q * q) / ((nu - 1) * p);
}

/// Mean loss at or beyond the quantile q of a sample.
double sample_shortfall(std::span<const double> sorted, double q) {
  double sum = 0;
  std::int64_t n = 0;
  for (double v : sorted) {
    if (v > q) break;
    sum -= v;
    ++n;
  }
  return n ? sum / double(n) : -q;
}

double sorted_quantile(std::span<const double> sorted, double q) {
  const double place = q * double(sorted.size() - 1);
  const auto low = std::size_t(place);
  const double f = place - double(low);
  return f == 0 ? sorted[low] : sorted[low] + f * (sorted[low + 1] - sorted[low]);
}

constexpr std::int64_t kBlock = 250;  // days from one cold fit to the next

struct Day {
  double variance = 0;
  std::vector<double> var, shortfall;
};

/// One forecast from a window, given the parameters.
Day by_garch(std::span<const double> window, const VarOptions& o, const GarchFit& fit) {
  const auto h = garch_variances(window, o.model, fit.parameters);
  const double mu = fit.parameters[0], deviation = std::sqrt(h.back());
  Day day;
  day.variance = h.back();
  std::vector<double> residuals;
  if (o.method == VarMethod::filtered) {
    residuals.resize(window.size());
    for (std::size_t i = 0; i < window.size(); ++i) residuals[i] = (window[i] - mu) / std::sqrt(h[i]);
    std::sort(residuals.begin(), residuals.end());
  }
  const double nu = o.model.innovation == Innovation::student ? fit.parameters[std::size_t(o.model.size() - 1)] : 0;
  for (double p : o.levels) {
    double q, es;
    if (o.method == VarMethod::filtered) {
      q = sorted_quantile(residuals, p);
      es = sample_shortfall(residuals, q);
    } else {
      q = o.model.innovation == Innovation::student ? unit_t_quantile(p, nu) : normal_quantile(p);
      es = innovation_shortfall(p, o.model, nu);
    }
    day.var.push_back(-(mu + deviation * q));
    day.shortfall.push_back(-mu + deviation * es);
  }
  return day;
}

Day by_history(std::span<const double> window, const VarOptions& o) {
  std::vector<double> sorted(window.begin(), window.end());
  double mean = 0;
  for (double v : sorted) mean += v;
  mean /= double(sorted.size());
  Day day;
  for (double v : sorted) day.variance += (v - mean) * (v - mean);
  day.variance /= double(sorted.size());
  std::sort(sorted.begin(), sorted.end());
  for (double p : o.levels) {
    const double q = sorted_quantile(sorted, p);
    day.var.push_back(-q);
    day.shortfall.push_back(sample_shortfall(sorted, q));
  }
  return day;
}

}  // namespace

RatioTest kupiec(std::int64_t days, std::int64_t exceedances, double level) {
  if (days <= 0 || exceedances < 0 || exceedances > days || !(level > 0 && level < 1)) throw_usage("kupiec", fmt::format("{} exceedances in {} days at level {}", exceedances, days, level));
  const double n = double(days), x = double(exceedances), share = x / n;
  const double none = x_log_y(n - x, 1 - level) + x_log_y(x, level), some = x_log_y(n - x, 1 - share) + x_log_y(x, share);
  const double lr = std::max(0.0, -2 * (none - some));
  return {lr, chi_squared_tail(lr, 1)};
}

RatioTest christoffersen(std::span<const std::uint8_t> hits) {
  if (hits.size() < 2) throw_usage("christoffersen", fmt::format("{} days", hits.size()), "at least two days make a transition");
  double n[2][2] = {};
  for (std::size_t i = 1; i < hits.size(); ++i) n[hits[i - 1] != 0][hits[i] != 0] += 1;
  const double quiet = n[0][0] + n[0][1], hit = n[1][0] + n[1][1];
  const double share = (n[0][1] + n[1][1]) / (quiet + hit);
  const double after_quiet = quiet ? n[0][1] / quiet : 0, after_hit = hit ? n[1][1] / hit : 0;
  const double one = x_log_y(n[0][0] + n[1][0], 1 - share) + x_log_y(n[0][1] + n[1][1], share);
  const double two = x_log_y(n[0][0], 1 - after_quiet) + x_log_y(n[0][1], after_quiet) + x_log_y(n[1][0], 1 - after_hit) + x_log_y(n[1][1], after_hit);
  const double lr = std::max(0.0, -2 * (one - two));
  return {lr, chi_squared_tail(lr, 1)};
}

RatioTest conditional_coverage(std::span<const std::uint8_t> hits, double level) {
  const auto x = std::count_if(hits.begin(), hits.end(), [](std::uint8_t h) { return h != 0; });
  const double lr = kupiec(std::int64_t(hits.size()), x, level).statistic + christoffersen(hits).statistic;
  return {lr, chi_squared_tail(lr, 2)};
}

std::string VarOptions::str() const {
  switch (method) {
    case VarMethod::historical: return "historical";
    case VarMethod::filtered: return model.leverage ? "filtered-gjr" : "filtered";
    case VarMethod::garch: return model.str();
  }
  return "?";
}

VarForecasts forecast_var(std::span<const double> returns, std::int64_t first, std::int64_t last, const VarOptions& o) {
  const auto n = std::int64_t(returns.size());
  if (o.window < 100 || first < o.window || last <= first || last > n) {
    throw Error(ErrorKind::usage, "finance.window", fmt::format("forecasts for rows {} to {} of {} from windows of {}", first, last, n, o.window),
                "a window has at least 100 rows, and that many must precede the first forecast (--window, --begin)");
  }
  if (o.refit_every < 1) throw_usage("forecast_var", fmt::format("a fit every {} days", o.refit_every));
  for (double p : o.levels)
    if (!(p > 0 && p < 0.5)) throw_usage("forecast_var", fmt::format("level {}", p), "levels are tail probabilities in (0, 0.5), for example 0.01");
  const std::int64_t days = last - first, blocks = (days + kBlock - 1) / kBlock;
  std::vector<Day> all{std::size_t(days)};
  std::vector<std::int64_t> fits(std::size_t(blocks), 0), flagged(std::size_t(blocks), 0);
  parallel_for(blocks, [&](std::int64_t b) {
    GarchFit fit;
    for (std::int64_t d = b * kBlock; d < std::min(days, (b + 1) * kBlock); ++d) {
      const auto window = returns.subspan(std::size_t(first + d - o.window), std::size_t(o.window));
      if (o.method == VarMethod::historical) {
        all[std::size_t(d)] = by_history(window, o);
        continue;
      }
      const std::int64_t since = d - b * kBlock;
      if (since % o.refit_every == 0) {
        // A warm start that lies on a bound could stay there.
        const bool warm = since > 0 && fit.converged && fit.flags.empty();
        fit = warm ? fit_garch(window, o.model, fit.parameters) : fit_garch(window, o.model);
        if (!fit.converged && warm) fit = fit_garch(window, o.model);
        ++fits[std::size_t(b)];
        if (!fit.flags.empty()) ++flagged[std::size_t(b)];
      }
      all[std::size_t(d)] = by_garch(window, o, fit);
    }
  });
  VarForecasts out;
  out.first = first;
  out.var.assign(o.levels.size(), std::vector<double>(std::size_t(days)));
  out.shortfall = out.var;
  for (std::int64_t d = 0; d < days; ++d) {
    const Day& day = all[std::size_t(d)];
    out.variance.push_back(day.variance);
    for (std::size_t l = 0; l < o.levels.size(); ++l) out.var[l][std::size_t(d)] = day.var[l], out.shortfall[l][std::size_t(d)] = day.shortfall[l];
  }
  for (std::int64_t b = 0; b < blocks; ++b) out.fits += fits[std::size_t(b)], out.flagged += flagged[std::size_t(b)];
  return out;
}

double qlike(std::span<const double> realised, std::span<const double> forecast) {
  if (realised.size() != forecast.size() || realised.empty()) throw_usage("qlike", fmt::format("{} realised and {} forecast variances", realised.size(), forecast.size()));
  double sum = 0;
  std::int64_t n = 0;
  for (std::size_t i = 0; i < realised.size(); ++i) {
    if (!(realised[i] > 0)) continue;
    const double ratio = realised[i] / forecast[i];
    sum += ratio - std::log(ratio) - 1;
    ++n;
  }
  if (!n) throw_usage("qlike", "no realised variance is above zero");
  return sum / double(n);
}

double sample_quantile(std::vector<double> values, double q) {
  if (values.empty() || !(q >= 0 && q <= 1)) throw_usage("sample_quantile", fmt::format("quantile {} of {} values", q, values.size()));
  std::sort(values.begin(), values.end());
  return sorted_quantile(values, q);
}

}  // namespace tenon::finance
