/// Logistic regression with an L2 penalty on sparse rows: the baseline that a sequence model must beat.
///
/// Minimises sum_i log-loss_i + |W|^2 / (2 C), the intercepts free, as scikit-learn's LogisticRegression does (two classes: one sigmoid;
/// more: softmax), by the core's L-BFGS in double. The same bits for any number of threads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tenon::genomics {

/// Rows of numbers, most of them 0. Row i has the entries [start[i], start[i + 1]), columns ascending.
struct SparseRows {
  std::int64_t columns = 0;
  std::vector<std::int64_t> start{0};
  std::vector<std::int32_t> column;
  std::vector<double> value;

  std::int64_t rows() const noexcept { return std::int64_t(start.size()) - 1; }
  void end_row() { start.push_back(std::int64_t(column.size())); }
  SparseRows take(std::span<const std::int64_t> rows) const;
};

class LogisticRegression {
 public:
  /// labels in [0, classes), one a row; strength: C. Throws a usage error for sizes that do not fit, and for a C that is not positive.
  LogisticRegression(const SparseRows& x, std::span<const std::int64_t> labels, std::int64_t classes, double strength);

  /// From the weights of one that was fitted. Throws a usage error for a list of another length than (columns + 1) x outputs.
  LogisticRegression(std::int64_t columns, std::int64_t classes, std::vector<double> weights);

  /// Log-odds [rows, classes]: their softmax are the probabilities. Two classes: 0 and the score of the second.
  std::vector<double> logits(const SparseRows& x) const;
  /// [rows, classes], each row adding up to 1.
  std::vector<double> probabilities(const SparseRows& x) const;
  /// Mean of -log p of the truth.
  double log_loss(const SparseRows& x, std::span<const std::int64_t> labels) const;
  std::int64_t columns() const noexcept { return columns_; }
  const std::vector<double>& weights() const noexcept { return weights_; }  ///< [columns + 1, outputs], intercepts last; 1 output for two classes

 private:
  std::vector<double> scores(const SparseRows& x) const;
  std::int64_t classes_, outputs_, columns_;
  std::vector<double> weights_;
};

}  // namespace tenon::genomics
