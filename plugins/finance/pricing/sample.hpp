/// Sums of a sample and how far they can be trusted (private to pricing).
///
/// A standard error is itself an estimate. Where a handful of paths carries the variance (a tail hardly hit, a lognormal too wide to be
/// sampled), it says nothing, and 0 +- 0 looks like certainty. The measure here is n / kurtosis: about n / 3 for a normal, the number of
/// hits for a rare event, a few where the largest value rules. The relative error of the variance is 1 / sqrt of it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>

namespace tenon::finance {

/// Below this effective number of values, no standard error is told.
constexpr double kLeastCarriers = 25;

/// Powers of values about a fixed shift near their mean, which keeps the squares from cancelling.
struct Sample {
  double shift = 0, n = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0;
  void add(double value) {
    const double d = value - shift, dd = d * d;
    n += 1;
    s1 += d;
    s2 += dd;
    s3 += dd * d;
    s4 += dd * dd;
  }
  void add(const Sample& o) { n += o.n, s1 += o.s1, s2 += o.s2, s3 += o.s3, s4 += o.s4; }
  double mean() const { return shift + s1 / n; }
  double variance() const { return std::max(0.0, s2 / n - s1 / n * (s1 / n)); }
  double standard_error(int lost = 1) const { return std::sqrt(variance() / (n - lost)); }
  /// n / kurtosis; 0 where all values are equal to rounding or something overflowed.
  double carriers() const {
    const double m = s1 / n, v = variance(), fourth = s4 / n - 4 * m * s3 / n + 6 * m * m * s2 / n - 3 * m * m * m * m;
    if (!(v > 1e-26 * (shift * shift + m * m)) || !(fourth > 0) || !std::isfinite(fourth)) return 0;
    return n * v / fourth * v;
  }
  bool carried() const { return carriers() >= kLeastCarriers; }
};

/// Polled between pieces of a simulation, from any thread.
using Interrupted = std::function<bool()>;

}  // namespace tenon::finance
