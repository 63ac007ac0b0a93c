/// The annual cycle as harmonics per grid point, and anomalies from it.
///
///     field(t, x) = c0(x) + sum over k = 1..K of a_k(x) cos(2 pi k s) + b_k(x) sin(2 pi k s),  s = share of the year that has passed
#pragma once

#include <cstdint>
#include <vector>

#include "climate/tasks/field_series.hpp"

namespace tenon::climate {

class HarmonicClimatology {
 public:
  HarmonicClimatology() = default;
  HarmonicClimatology(int harmonics, std::int64_t points, std::vector<double> coefficients);
  /// Least squares over the positions `times` of the series; throws climate.too_short where they do not determine the coefficients.
  static HarmonicClimatology fit(const FieldSeries& series, const std::vector<std::int64_t>& times, int harmonics);

  int harmonics() const { return harmonics_; }
  std::int64_t points() const { return points_; }
  const std::vector<double>& coefficients() const { return coefficients_; }  ///< [2 K + 1, points]
  /// The field at this share of the year: `out` [points].
  void at(double phase, double* out) const;
  /// series - climatology at all its times: [times, points].
  std::vector<float> anomalies(const FieldSeries& series) const;

 private:
  int harmonics_ = 0;
  std::int64_t points_ = 0;
  std::vector<double> coefficients_;
};

}  // namespace tenon::climate
