/// Metrics with confidence intervals, over plain values: what tasks score with. Of tensors, on their device: tensor_metrics.hpp.
///
/// All work in double, skip nothing, and throw a usage error (opened by the metric's name) for lengths that differ, for empty input
/// and for values that are not finite. Where a metric is not defined (no positive case, say) its value is NaN.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "tenon/error.hpp"
#include "tenon/export.hpp"

namespace tenon {

/// A value and its confidence interval.
struct Interval {
  double value = 0, low = 0, high = 0;
};

/// Percentile interval of `statistic` over resamples of [0, n) with replacement (Efron 1979). The statistic is given the indices drawn;
/// resamples whose statistic is NaN are left out. It runs on several threads at once (set_thread_count): it must write to nothing but what it
/// made itself. Index i of resample r depends on (seed, r, i) alone.
TENON_API Interval bootstrap(std::int64_t n, const std::function<double(std::span<const std::int64_t>)>& statistic, std::int64_t resamples = 2000,
                             double level = 0.95, std::uint64_t seed = 0);
struct Resampling {
  std::int64_t resamples = 2000;
  double level = 0.95;
  std::uint64_t seed = 0;
};
/// Any metric of this header, of cases that lie side by side in one or more ranges, with its bootstrap interval. `metric` is given a span of each
/// range's values for the cases drawn: bootstrap_of({}, [](auto x, auto t) { return rmse(x, t); }, x, truth), or
/// bootstrap_of({}, [](auto p, auto t) { return mcc(confusion(p, t, 3), 3); }, predicted, truth). See bootstrap().
template <class Metric, class First, class... Ranges>
Interval bootstrap_of(const Resampling& how, const Metric& metric, const First& first, const Ranges&... others) {
  const std::size_t n = std::size(first);
  if (((std::size(others) != n) || ...))
    throw_usage("bootstrap_of", "ranges of " + (std::to_string(n) + ... + (" and " + std::to_string(std::size(others)))) + " cases", "one value a case in each");
  return bootstrap(
      static_cast<std::int64_t>(n),
      [&](std::span<const std::int64_t> drawn) {
        const auto take = [&](const auto& range) {
          std::vector<std::remove_cvref_t<decltype(*std::data(range))>> values(drawn.size());
          for (std::size_t i = 0; i < drawn.size(); ++i) values[i] = std::data(range)[drawn[i]];
          return values;
        };
        const auto chosen = std::make_tuple(take(first), take(others)...);
        return std::apply([&](const auto&... values) { return double(metric(std::span(values)...)); }, chosen);
      },
      how.resamples, how.level, how.seed);
}
/// Of a mean: each resample draws whole blocks of `block` consecutive values around a circle (Politis and Romano 1992), for values that depend
/// on their neighbours.
TENON_API Interval block_bootstrap_mean(std::span<const double> values, std::int64_t block, std::int64_t resamples = 2000, double level = 0.95,
                                        std::uint64_t seed = 0);
/// Mean of independent values (runs with several seeds) with Student's t interval; one value: no interval (NaN).
TENON_API Interval mean_interval(std::span<const double> values, double level = 0.95);

// ---- classes: labels count from 0 ------------------------------------------------------------------------------
/// counts[truth * classes + predicted].
TENON_API std::vector<std::int64_t> confusion(std::span<const std::int64_t> predicted, std::span<const std::int64_t> truth, std::int64_t classes);
TENON_API double accuracy(std::span<const std::int64_t> confusion, std::int64_t classes);
TENON_API double f1(std::span<const std::int64_t> confusion, std::int64_t classes, std::int64_t positive);  ///< 2 TP / (2 TP + FP + FN)
TENON_API double macro_f1(std::span<const std::int64_t> confusion, std::int64_t classes);                  ///< mean over classes that occur
/// Overlap of a class with its truth, 2 TP / (2 TP + FP + FN): the F1 of a class, by its name in segmentation. NaN where neither holds it.
TENON_API double dice(std::span<const std::int64_t> confusion, std::int64_t classes, std::int64_t positive);
/// Matthews' correlation, of any number of classes (Gorodkin 2004).
TENON_API double mcc(std::span<const std::int64_t> confusion, std::int64_t classes);

// ---- scores of a yes or no: higher for yes ----------------------------------------------------------------------
/// Area under the ROC curve, ties by half, with DeLong's interval (1988; by midranks, Sun and Xu 2014).
TENON_API Interval auroc(std::span<const double> scores, std::span<const std::uint8_t> truth, double level = 0.95);
/// Difference of two scores' areas on the same cases, with DeLong's interval.
TENON_API Interval auroc_difference(std::span<const double> a, std::span<const double> b, std::span<const std::uint8_t> truth, double level = 0.95);
/// Average precision: sum of precision times the step in recall, from high scores to low, equal scores in one step.
TENON_API double average_precision(std::span<const double> scores, std::span<const std::uint8_t> truth);
/// Expected calibration error of probabilities in [0, 1], over bins of equal width (Guo et al. 2017).
TENON_API double calibration_error(std::span<const double> probabilities, std::span<const std::uint8_t> truth, int bins = 15);
TENON_API double brier_score(std::span<const double> probabilities, std::span<const std::uint8_t> truth);

// ---- numbers; `weights` empty: 1 each ---------------------------------------------------------------------------
TENON_API double rmse(std::span<const double> x, std::span<const double> truth, std::span<const double> weights = {});
TENON_API double mae(std::span<const double> x, std::span<const double> truth, std::span<const double> weights = {});
TENON_API double bias(std::span<const double> x, std::span<const double> truth, std::span<const double> weights = {});  ///< mean of x - truth
/// Weighted correlation of the anomalies from `climatology`, not centred (WMO's anomaly correlation).
TENON_API double anomaly_correlation(std::span<const double> x, std::span<const double> truth, std::span<const double> climatology,
                                     std::span<const double> weights = {});
TENON_API double pearson(std::span<const double> x, std::span<const double> y);
TENON_API double spearman(std::span<const double> x, std::span<const double> y);  ///< Pearson's of midranks
/// Continuous ranked probability score of an ensemble: members [M] against one value; see crps_ensemble in losses.hpp. O(M log M).
TENON_API double crps(std::span<const double> members, double truth, bool fair = false);

}  // namespace tenon
