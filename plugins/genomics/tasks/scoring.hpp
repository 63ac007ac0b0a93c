/// Scores of class probabilities: what the result table of a classification holds.
///
///   two classes   AUROC, AUPRC of the second class, MCC, accuracy, calibration error of its probability
///   more          MCC (Gorodkin), accuracy, AUROC and AUPRC as the mean over classes of one against the rest, calibration error of the
///                 most probable class
/// The predicted class is the most probable one (two classes: p >= 0.5 is the second). MCC is 0 where a margin is empty.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tenon/task.hpp"

namespace tenon::genomics {

std::vector<MetricColumn> score_columns(std::int64_t classes);

/// Position of the column "MCC".
std::size_t mcc_column(std::int64_t classes);

/// One interval a column: AUROC of two classes by DeLong, all others by percentile bootstrap over sequences (`resamples` of them; 0: values
/// alone). probabilities [n, classes], truth in [0, classes), n >= 1.
std::vector<Interval> score(std::span<const double> probabilities, std::span<const std::int64_t> truth, std::int64_t classes,
                            std::int64_t resamples = 1000);

/// The most probable class of a row; of equal ones the first, but of two classes the second.
std::int64_t predicted_class(const double* probabilities, std::int64_t classes);

std::vector<std::string> score_notes(std::int64_t classes);

/// ROC, precision and recall, and reliability curves of every class that is scored (two classes: of the second). `baseline` (its
/// probabilities empty: none) is drawn beside.
struct NamedProbabilities {
  std::string name;
  std::vector<double> probabilities;
};
std::vector<Chart> score_charts(const std::vector<std::string>& classes, std::span<const double> probabilities,
                                std::span<const std::int64_t> truth, const NamedProbabilities& baseline);

}  // namespace tenon::genomics
