// The climb to the optimum: damped Newton in (mu, omega, alpha, beta, delta = alpha + gamma, nu), in which all bounds are simple.
#include "finance/volatility/garch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tenon/error.hpp"

namespace tenon::finance {
namespace {

enum { kMu, kOmega, kAlpha, kBeta, kGamma };
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Bounds {
  GarchVector low, high;
};

/// gamma itself is bounded by -alpha, so its place is taken by delta = alpha + gamma >= 0: what follows a fall.
GarchVector to_delta(GarchVector v, const GarchModel& m) {
  if (m.leverage) v[kGamma] += v[kAlpha];
  return v;
}
GarchVector from_delta(GarchVector v, const GarchModel& m) {
  if (m.leverage) v[kGamma] -= v[kAlpha];
  return v;
}
GarchLikelihood at_delta(std::span<const double> y, const GarchModel& m, const GarchVector& v) {
  GarchLikelihood l = garch_likelihood(y, m, from_delta(v, m));
  if (!m.leverage) return l;
  l.score[kAlpha] -= l.score[kGamma];
  for (GarchMatrix* a : {&l.hessian, &l.opg}) {
    for (int i = 0; i < m.size(); ++i) (*a)[kAlpha][i] -= (*a)[kGamma][i];
    for (int i = 0; i < m.size(); ++i) (*a)[i][kAlpha] -= (*a)[i][kGamma];
  }
  return l;
}

/// Cholesky of the leading `n` rows; false when not positive definite.
bool cholesky(GarchMatrix& a, int n) {
  for (int j = 0; j < n; ++j) {
    double d = a[j][j];
    for (int k = 0; k < j; ++k) d -= a[j][k] * a[j][k];
    if (!(d > 0) || !std::isfinite(d)) return false;
    a[j][j] = std::sqrt(d);
    for (int i = j + 1; i < n; ++i) {
      double s = a[i][j];
      for (int k = 0; k < j; ++k) s -= a[i][k] * a[j][k];
      a[i][j] = s / a[j][j];
    }
  }
  return true;
}
void solve(const GarchMatrix& l, int n, GarchVector& x) {
  for (int i = 0; i < n; ++i) {
    for (int k = 0; k < i; ++k) x[i] -= l[i][k] * x[k];
    x[i] /= l[i][i];
  }
  for (int i = n - 1; i >= 0; --i) {
    for (int k = i + 1; k < n; ++k) x[i] -= l[k][i] * x[k];
    x[i] /= l[i][i];
  }
}

struct Climb {
  GarchVector at{};
  GarchLikelihood l;
  int iterations = 0;
  bool converged = false;
};

/// A step of Newton's method on the parameters that are free, the Hessian's diagonal raised until it is negative definite and the step climbs
/// (Levenberg and Marquardt). A step that meets a bound stops on it.
Climb climb(std::span<const double> y, const GarchModel& m, const Bounds& bounds, GarchVector start) {
  const int n = m.size();
  Climb c;
  c.at = start;
  c.l = at_delta(y, m, c.at);
  double damping = 1e-3;
  for (; c.iterations < 200; ++c.iterations) {
    std::array<int, kMostGarch> free{};
    int k = 0;
    for (int i = 0; i < n; ++i) {
      const bool held = (c.at[i] <= bounds.low[i] && c.l.score[i] <= 0) || (c.at[i] >= bounds.high[i] && c.l.score[i] >= 0);
      if (!held) free[k++] = i;
    }
    bool moved = false;
    double newton = std::numeric_limits<double>::infinity();
    for (int attempt = 0; attempt < 40; ++attempt) {
      GarchMatrix a{};
      GarchVector step{};
      for (int i = 0; i < k; ++i) {
        step[i] = c.l.score[free[i]];
        for (int j = 0; j < k; ++j) a[i][j] = -c.l.hessian[free[i]][free[j]];
        // the outer products' diagonal is positive where the Hessian's is not
        a[i][i] += damping * std::max(std::abs(a[i][i]), c.l.opg[free[i]][free[i]]);
      }
      if (k == 0 || !cholesky(a, k)) {
        if (k == 0) break;
        damping = std::max(1e-6, damping * 8);
        continue;
      }
      const GarchVector gradient = step;
      solve(a, k, step);
      double decrement = 0;
      for (int i = 0; i < k; ++i) decrement += gradient[i] * step[i];
      // The decrement is twice what a full step can gain, and the squared distance to the top in standard errors.
      newton = decrement;
      if (damping < 1e-6 && decrement < 1e-22 * (1 + std::abs(c.l.value))) {
        c.converged = true;
        break;
      }
      GarchVector to = c.at;
      for (int i = 0; i < k; ++i) to[free[i]] = std::clamp(c.at[free[i]] + step[i], bounds.low[free[i]], bounds.high[free[i]]);
      GarchLikelihood there = at_delta(y, m, to);
      // At the top the likelihood is flat to the last digit; a full step that leaves a smaller decrement is taken still.
      const double slack = 1e-13 * (1 + std::abs(c.l.value));
      if (std::isfinite(there.value) && (there.value > c.l.value || (damping < 1e-8 && decrement < 1e-8 && there.value > c.l.value - slack))) {
        c.at = to;
        c.l = there;
        moved = true;
        damping = damping < 1e-10 ? 0 : damping * 0.05;
        break;
      }
      damping = std::max(1e-8, damping * 8);
      if (damping > 1e12) break;
    }
    if (c.converged || !moved) {
      // Rounding may leave no step that climbs a few ulps below the top.
      if (k == 0 || newton < 1e-16) c.converged = true;
      break;
    }
  }
  return c;
}

std::vector<GarchVector> default_starts(std::span<const double> y, const GarchModel& m, double mean, double variance) {
  std::vector<std::pair<double, GarchVector>> ranked;
  for (double alpha : {0.03, 0.08, 0.15, 0.25}) {
    for (double persistence : {0.6, 0.9, 0.97, 0.995}) {
      if (alpha >= persistence) continue;
      GarchVector v{mean, variance * (1 - persistence), alpha, persistence - alpha};
      if (m.leverage) v[kAlpha] = alpha * 0.5, v[kGamma] = alpha;
      if (m.innovation == Innovation::student) v[4 + m.leverage] = 7;
      const double l = garch_likelihood(y, m, v).value;
      if (std::isfinite(l)) ranked.emplace_back(l, v);
    }
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<GarchVector> out;
  // The best, and the best with another news coefficient: a second hill is found from there if it is.
  for (const auto& [l, v] : ranked) {
    if (out.empty() || std::abs(v[kAlpha] - out[0][kAlpha]) > 1e-12) out.push_back(v);
    if (out.size() == 2) break;
  }
  return out;
}

void set_errors(GarchFit& fit, const GarchLikelihood& l) {
  const int n = fit.model.size();
  fit.se_hessian.fill(kNaN);
  fit.se_robust.fill(kNaN);
  if (!fit.flags.empty() && std::any_of(fit.flags.begin(), fit.flags.end(), [](const auto& f) { return f.find("bound") != f.npos; })) return;
  GarchMatrix a{};
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) a[i][j] = -l.hessian[i][j];
  if (!cholesky(a, n)) {
    fit.flags.push_back("the Hessian is not negative definite: no standard errors");
    return;
  }
  GarchMatrix inverse{};
  for (int i = 0; i < n; ++i) {
    GarchVector unit{};
    unit[i] = 1;
    solve(a, n, unit);
    inverse[i] = unit;
  }
  for (int i = 0; i < n; ++i) {
    double robust = 0;
    for (int j = 0; j < n; ++j)
      for (int k = 0; k < n; ++k) robust += inverse[i][j] * l.opg[j][k] * inverse[i][k];
    fit.se_hessian[i] = std::sqrt(inverse[i][i]);
    fit.se_robust[i] = std::sqrt(robust);
  }
}

}  // namespace

std::vector<std::string> GarchModel::names() const {
  std::vector<std::string> out = {"mu", "omega", "alpha", "beta"};
  if (leverage) out.push_back("gamma");
  if (innovation == Innovation::student) out.push_back("nu");
  return out;
}

std::string GarchModel::str() const { return std::string(leverage ? "gjr" : "garch") + (innovation == Innovation::student ? "-t" : ""); }

GarchFit fit_garch(std::span<const double> y, const GarchModel& m, const std::optional<GarchVector>& start) {
  if (y.size() < 30) throw Error(ErrorKind::data, "finance.too_short", fmt::format("a GARCH fit of {} observations", y.size()), "give at least 30; a few hundred make sense");
  double mean = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (!std::isfinite(y[i])) throw Error(ErrorKind::data, "finance.not_finite", fmt::format("observation {} is missing or not finite", i + 1), "drop it or say so: --missing drop");
    mean += y[i];
  }
  mean /= double(y.size());
  double variance = 0, largest = 0;
  for (double v : y) variance += (v - mean) * (v - mean), largest = std::max(largest, std::abs(v));
  variance /= double(y.size());
  if (variance <= 1e-24 * largest * largest || !(variance > 0)) throw Error(ErrorKind::data, "finance.constant_series", fmt::format("the series is constant ({:.6g})", mean), "give returns, not a fixed value");

  Bounds bounds;
  bounds.low = {-1e300, 1e-9 * variance, 0, 0, 0, 0};
  bounds.high = {1e300, 100 * variance, 1, 0.999999, 2, 0};
  if (m.innovation == Innovation::student) bounds.low[4 + m.leverage] = 2.01, bounds.high[4 + m.leverage] = 500;

  Climb best;
  bool any = false;
  int iterations = 0;
  for (const GarchVector& from : start ? std::vector<GarchVector>{*start} : default_starts(y, m, mean, variance)) {
    GarchVector v = to_delta(from, m);
    for (int i = 0; i < m.size(); ++i) v[i] = std::clamp(v[i], bounds.low[i], bounds.high[i]);
    Climb c = climb(y, m, bounds, v);
    iterations += c.iterations;
    if (!any || c.l.value > best.l.value) best = c, any = true;
  }
  if (!any || !std::isfinite(best.l.value)) throw Error(ErrorKind::data, "finance.no_fit", "no start has a finite likelihood", "look at the series: outliers, units?");

  GarchFit fit;
  fit.model = m;
  fit.observations = std::int64_t(y.size());
  fit.parameters = from_delta(best.at, m);
  fit.log_likelihood = best.l.value;
  fit.iterations = iterations;
  fit.converged = best.converged;
  const auto names = m.names();
  for (int i = 0; i < m.size(); ++i) {
    const bool low = best.at[i] <= bounds.low[i], high = best.at[i] >= bounds.high[i];
    if (!low && !high) {
      fit.score_size = std::max(fit.score_size, std::abs(best.l.score[i]) * (1 + std::abs(best.at[i])));
      continue;
    }
    const std::string name = i == kGamma && m.leverage ? "alpha + gamma" : names[i];
    fit.flags.push_back(fmt::format("{} = {:.6g} lies on a bound", name, low ? bounds.low[i] : bounds.high[i]));
  }
  fit.persistence = fit.parameters[kAlpha] + fit.parameters[kBeta] + (m.leverage ? fit.parameters[kGamma] / 2 : 0);
  if (fit.persistence >= 1) fit.flags.push_back(fmt::format("persistence {:.6f} is not below 1: no unconditional variance", fit.persistence));
  if (!fit.converged) fit.flags.push_back("the climb did not converge");
  const GarchLikelihood last = garch_likelihood(y, m, fit.parameters);
  set_errors(fit, last);
  fit.next_variance = garch_variances(y, m, fit.parameters).back();
  return fit;
}

std::vector<double> garch_forecast(const GarchFit& fit, std::int64_t horizon) {
  std::vector<double> out;
  double h = fit.next_variance;
  for (std::int64_t i = 0; i < horizon; ++i) {
    out.push_back(h);
    h = fit.parameters[kOmega] + fit.persistence * h;
  }
  return out;
}

}  // namespace tenon::finance
