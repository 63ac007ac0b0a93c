/// Kernel slots of the metrics of tensors (private).
#pragma once

#include <algorithm>

#include "kernels/metrics.hpp"
#include "tenon/kernel.hpp"

namespace tenon {

/// Throws the usage error for what a metric does not take: a number (its bits are `value`), or a label of `classes`. `at`: refused_at().
[[noreturn]] TENON_API void refuse_metric(const char* op, std::int64_t value, std::int64_t at, std::int64_t classes = 0);

/// Rows that are cut into parts, by their sizes alone, so that sums have one order. Where rows are cut there are at most `kMostCut` of them.
struct RowParts {
  std::int64_t rows, n;
  static constexpr std::int64_t kLeast = 8192, kMost = 2048, kMostCut = 1024;
  /// A multiple of 16 where a row has several.
  std::int64_t part() const {
    if (rows > kMostCut || n <= kLeast) return std::max<std::int64_t>(n, 1);
    const std::int64_t most = std::max<std::int64_t>(1, kMost / rows), least = (n + most - 1) / most;
    return (std::max(least, kLeast) + 15) / 16 * 16;
  }
  std::int64_t parts() const { return std::max<std::int64_t>(1, (n + part() - 1) / part()); }
};

/// Labels, or scores of the classes [rows, n, classes], against labels [rows, n].
struct ConfusionCount {
  const char* op;  ///< the public name, for messages
  DType predicted, truth;
  bool scored;
  RowParts cut;
  LabelPair pair;
};
/// predicted, truth -> i64 [rows, classes, classes]
extern TENON_API KernelSlot<const ConfusionCount&> confusion_kernel;

enum class Given : int { none, a_row, each };  ///< nothing, one row for all, one number an element
struct ErrorSumming {
  const char* op;
  DType x, truth, weight, centre;
  Given weights, centres;  ///< centres, where they are for all rows alike or for each element: a climatology
  bool means = false;      ///< centres are f64 [2, rows], of x and of truth, and `centres` is none
  RowParts cut;
};
/// x, truth, [weights,] [centres] -> partial f64 [rows, kErrorSums, parts], f64 [kErrorSums, rows]
extern TENON_API KernelSlot<const ErrorSumming&> error_sums_kernel;

struct BinaryCheck {
  const char* op;
  DType scores, truth;
  std::int64_t count;
  bool probabilities;  ///< scores are to lie in [0, 1]
};
/// scores, truth -> u8, 1 for yes
extern TENON_API KernelSlot<const BinaryCheck&> binary_check_kernel;

/// Rows of scores from high to low.
struct RankedScores {
  DType dtype;
  bool area;  ///< under the ROC curve; else average precision
  RowParts cut;
};
/// scores, hits so far i64 [rows, n] -> partial [rows, parts] of 8 bytes, f64 [rows]
extern TENON_API KernelSlot<const RankedScores&> ranked_scores_kernel;

}  // namespace tenon
