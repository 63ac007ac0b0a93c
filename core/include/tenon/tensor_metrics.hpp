/// Metrics of tensors, computed on the device where predictions and truth lie: only scores come back.
///
///     Tensor counts = confusion(labels, truth, classes);                  // i64 [classes, classes]
///     Tensor errors = rmse(forecast, analysis, area_weights, 1);          // [times, lat, lon] -> f64 [times]
///     double area = auroc(scores, truth).item();
///
/// The numbers are those of metrics.hpp, over [cases..., elements...]: the first `case_axes` axes remain, one result each, and all others are scored together. Sums
/// are f64 in an order that sizes alone decide: the same bits for any number of threads; a GPU's differ from the CPU's in the last digits, counts do not. Operands
/// lie on one device, and may be views. Nothing here is differentiable; everything may be recorded in a step.
///
/// Shapes and types that do not fit are usage errors, opened by the metric's name, and so are no elements to score, values that are not finite, labels that are no
/// class and weights that are negative or 0 alone: the first such element is told (of scores and labels the one at the lower place of its own operand), when the kernel
/// runs, or on a GPU at the next copy to the host. Where a metric is
/// not defined (no positive case, say) its value is NaN. Stateless: any thread may call, on a GPU while no other records a step.
#pragma once

#include <cstdint>
#include <optional>

#include "tenon/tensor.hpp"

namespace tenon {

// ---- classes: labels count from 0 ------------------------------------------------------------------------------
struct ConfusionOptions {
  int case_axes = 0;
  std::optional<std::int64_t> ignored = {};  ///< a label of truth whose elements are left out, whatever was predicted there
};
/// Integer labels of equal shapes -> counts i64 [cases..., classes, classes], truth before predicted.
TENON_API Tensor confusion(const Tensor& predicted, const Tensor& truth, std::int64_t classes, const ConfusionOptions& options = {});
/// The same of the class with the largest score, the first of equals: scores [cases..., elements..., classes], floating; truth without the last axis. The labels are
/// never stored. Infinite scores are taken, NaN is refused, at ignored elements too.
TENON_API Tensor confusion_of_scores(const Tensor& scores, const Tensor& truth, const ConfusionOptions& options = {});

// ---- numbers: floating types, which may differ ----------------------------------------------------------------------
/// Sums of w (1 without weights), and of it times d = x - t, |d|, d^2, x, t, x^2, t^2 and x t. f64 [cases...]. Sums of several batches add up.
struct ErrorSums {
  Tensor weight, error, absolute, square, x, truth, x_square, truth_square, product;
};
/// In one pass. `weights`: of x's shape, or of one case's (x without the case axes) for all; undefined: 1 each.
TENON_API ErrorSums error_sums(const Tensor& x, const Tensor& truth, const Tensor& weights = {}, int case_axes = 0);

TENON_API Tensor rmse(const ErrorSums& sums);
TENON_API Tensor mae(const ErrorSums& sums);
TENON_API Tensor bias(const ErrorSums& sums);         ///< mean of x - truth
TENON_API Tensor relative_l2(const ErrorSums& sums);  ///< ||x - truth|| / ||truth||; NaN where truth is 0 everywhere
/// f64 [cases...], of error_sums().
TENON_API Tensor rmse(const Tensor& x, const Tensor& truth, const Tensor& weights = {}, int case_axes = 0);
TENON_API Tensor mae(const Tensor& x, const Tensor& truth, const Tensor& weights = {}, int case_axes = 0);
TENON_API Tensor bias(const Tensor& x, const Tensor& truth, const Tensor& weights = {}, int case_axes = 0);
TENON_API Tensor relative_l2(const Tensor& x, const Tensor& truth, const Tensor& weights = {}, int case_axes = 0);
/// Weighted correlation of the anomalies from `climatology` (of x's shape, or of one case's), not centred (WMO's anomaly correlation). f64 [cases...].
TENON_API Tensor anomaly_correlation(const Tensor& x, const Tensor& truth, const Tensor& climatology, const Tensor& weights = {}, int case_axes = 0);
/// Correlation, in two passes: of means, and of what differs from them. f64 [cases...].
TENON_API Tensor pearson(const Tensor& x, const Tensor& y, int case_axes = 0);

// ---- scores of a yes or no: higher for yes; truth integer or bool of the same shape, 0 or 1 -----------------------------
/// Area under the ROC curve, ties by half: counted in whole numbers. f64 [cases...]; the interval is metrics.hpp's alone. Sorts: at most 2^32 - 1 elements a case.
TENON_API Tensor auroc(const Tensor& scores, const Tensor& truth, int case_axes = 0);
/// Sum of precision times the step in recall, from high scores to low, equal scores in one step. f64 [cases...].
TENON_API Tensor average_precision(const Tensor& scores, const Tensor& truth, int case_axes = 0);
/// Expected calibration error of probabilities in [0, 1], over bins of equal width (Guo et al. 2017). f64 [cases...].
TENON_API Tensor calibration_error(const Tensor& probabilities, const Tensor& truth, int bins = 15, int case_axes = 0);
TENON_API Tensor brier_score(const Tensor& probabilities, const Tensor& truth, int case_axes = 0);  ///< mean of (p - truth)^2. f64 [cases...].

}  // namespace tenon
