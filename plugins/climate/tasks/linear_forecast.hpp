/// Linear forecasts of anomalies: the baselines of the forecasting task, and what its networks correct.
///
///     damped persistence     y(t + L) = d_L x(t)
///     linear inverse model   y(t + L) = V B_L [a(t), a(t - 1), ...],  a = amplitudes of the leading patterns V; B_L by least squares
///
/// With `damped` the linear model learns what damped persistence leaves; with `choose_ridge` the strength of its ridge is chosen for each
/// lead by leaving out one year after the other, so that it shrinks towards damped persistence where there is nothing to learn.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "climate/tasks/eof.hpp"
#include "climate/tasks/field_series.hpp"

namespace tenon::climate {

/// Anomalies with their dates. Steps are of one length; moments may be absent between them.
struct AnomalySeries {
  std::vector<float> values;           ///< times x points
  std::vector<std::int64_t> ticks, year;
  std::int64_t points = 0, step = 0;   ///< step in ticks

  std::int64_t times() const { return std::int64_t(ticks.size()); }
  const float* field(std::int64_t t) const { return values.data() + t * points; }
  /// The position `steps` before (or, negative, after) that of t; nothing where it is absent.
  std::optional<std::int64_t> before(std::int64_t t, std::int64_t steps) const;
  /// Are t and the `days - 1` positions before it there, all marked in `usable`?
  bool has_history(std::int64_t t, std::int64_t days, const std::vector<char>& usable) const;
};

/// One factor a lead: sum over pairs and points of y x / sum of x x. `usable` marks the positions that may be looked at.
std::vector<double> damping(const AnomalySeries& series, const std::vector<char>& usable, const std::vector<std::int64_t>& leads);

struct LinearSettings {
  std::int64_t eofs = 40, days = 3;
  std::vector<std::int64_t> leads;
  double ridge = 0;  ///< added to the diagonal of the Gram matrix of the amplitudes, as a share of its mean diagonal element
  bool damped = false, choose_ridge = false;
};

class LinearForecast {
 public:
  LinearForecast() = default;
  static LinearForecast fit(const AnomalySeries& series, const std::vector<char>& usable, const std::vector<double>& weights, const LinearSettings& settings);
  /// From what a trained model kept.
  LinearForecast(LinearSettings settings, Eofs eofs, std::vector<double> damping, std::vector<Tensor> matrices);

  const LinearSettings& settings() const { return settings_; }
  const Eofs& eofs() const { return eofs_; }
  const std::vector<double>& damping_factors() const { return damping_; }
  const std::vector<Tensor>& matrices() const { return matrices_; }      ///< a lead: f64 [days eofs, eofs]
  const std::vector<double>& chosen_ridge() const { return strengths_; }  ///< one a lead

  /// Forecasts of every lead from each initial position: f32 [initial, leads, points]. Each needs its history. With `left_out`, a sample of
  /// year y is forecast by the matrix fitted without y (where y is a year of the fit): what the model would have said of a year it did
  /// not see. The year that counts is that of the target.
  std::vector<float> forecast(const AnomalySeries& series, const std::vector<std::int64_t>& initial, bool left_out = false) const;

 private:
  LinearSettings settings_;
  Eofs eofs_;
  std::vector<double> damping_, strengths_;
  std::vector<Tensor> matrices_;
  std::vector<std::int64_t> years_;               ///< of the fit
  std::vector<std::vector<Tensor>> without_;      ///< a lead, a year
};

}  // namespace tenon::climate
