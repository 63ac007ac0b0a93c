#include "genomics/baselines/logistic.hpp"

#include <algorithm>
#include <cmath>

#include "tenon/error.hpp"
#include "tenon/kernel.hpp"
#include "tenon/lbfgs.hpp"

namespace tenon::genomics {
namespace {

constexpr std::int64_t kRows = 64, kColumns = 256;  // a task's share
constexpr int kIterations = 500, kHistory = 12;
constexpr double kGradient = 1e-9, kChange = 1e-14;

/// Entries by column, so that a gradient is summed by its owner in the order of the rows.
struct Columns {
  std::vector<std::int64_t> start, row;
  std::vector<double> value;
  explicit Columns(const SparseRows& x) : start(std::size_t(x.columns) + 1, 0), row(x.column.size()), value(x.column.size()) {
    for (auto c : x.column) ++start[std::size_t(c) + 1];
    for (std::size_t c = 1; c < start.size(); ++c) start[c] += start[c - 1];
    std::vector<std::int64_t> next(start.begin(), start.end() - 1);
    for (std::int64_t i = 0; i < x.rows(); ++i)
      for (std::int64_t e = x.start[std::size_t(i)]; e < x.start[std::size_t(i) + 1]; ++e) {
        const auto to = std::size_t(next[std::size_t(x.column[std::size_t(e)])]++);
        row[to] = i;
        value[to] = x.value[std::size_t(e)];
      }
  }
};

void add_scores(const SparseRows& x, std::int64_t outputs, const double* weights, std::vector<double>& scores) {
  parallel_blocks(x.rows(), kRows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      double* s = scores.data() + i * outputs;
      std::copy_n(weights + x.columns * outputs, outputs, s);
      for (std::int64_t e = x.start[std::size_t(i)]; e < x.start[std::size_t(i) + 1]; ++e)
        for (std::int64_t k = 0; k < outputs; ++k) s[k] += x.value[std::size_t(e)] * weights[x.column[std::size_t(e)] * outputs + k];
    }
  });
}

/// Scores of a row to probabilities of all classes.
void to_probabilities(const double* s, std::int64_t classes, double* p) {
  if (classes == 2) {
    p[1] = s[0] >= 0 ? 1 / (1 + std::exp(-s[0])) : std::exp(s[0]) / (1 + std::exp(s[0]));
    p[0] = s[0] >= 0 ? std::exp(-s[0]) / (1 + std::exp(-s[0])) : 1 / (1 + std::exp(s[0]));
    return;
  }
  const double top = *std::max_element(s, s + classes);
  double sum = 0;
  for (std::int64_t k = 0; k < classes; ++k) sum += p[k] = std::exp(s[k] - top);
  for (std::int64_t k = 0; k < classes; ++k) p[k] /= sum;
}

double loss_of_row(const double* s, std::int64_t classes, std::int64_t label) {
  if (classes == 2) {
    const double z = label == 1 ? s[0] : -s[0];
    return z >= 0 ? std::log1p(std::exp(-z)) : std::log1p(std::exp(z)) - z;
  }
  const double top = *std::max_element(s, s + classes);
  double sum = 0;
  for (std::int64_t k = 0; k < classes; ++k) sum += std::exp(s[k] - top);
  return std::log(sum) + top - s[label];
}

}  // namespace

SparseRows SparseRows::take(std::span<const std::int64_t> chosen) const {
  SparseRows out;
  out.columns = columns;
  for (auto i : chosen) {
    const auto first = start[std::size_t(i)], last = start[std::size_t(i) + 1];
    out.column.insert(out.column.end(), column.begin() + first, column.begin() + last);
    out.value.insert(out.value.end(), value.begin() + first, value.begin() + last);
    out.end_row();
  }
  return out;
}

LogisticRegression::LogisticRegression(const SparseRows& x, std::span<const std::int64_t> labels, std::int64_t classes, double strength)
    : classes_(classes), outputs_(classes == 2 ? 1 : classes), columns_(x.columns) {
  if (std::int64_t(labels.size()) != x.rows() || labels.empty() || classes < 2 || !(strength > 0))
    throw_usage("LogisticRegression", std::to_string(x.rows()) + " rows, " + std::to_string(labels.size()) + " labels of " +
                                          std::to_string(classes) + " classes, C = " + std::to_string(strength));
  for (auto label : labels)
    if (label < 0 || label >= classes)
      throw_usage("LogisticRegression", "label " + std::to_string(label) + " of " + std::to_string(classes) + " classes");

  const std::int64_t n = x.rows(), size = (columns_ + 1) * outputs_;
  const Columns columns(x);
  Tensor w = Tensor::zeros({size}, DType::f64);
  w.set_requires_grad();
  std::vector<double> scores(std::size_t(n * outputs_)), losses(static_cast<std::size_t>(n));
  const double per_row = 1.0 / double(n), penalty = per_row / strength;  // the objective over n: gradients of one size for any n

  Lbfgs solver({{"weights", w}}, {.iterations = kIterations, .evaluations = 2 * kIterations, .gradient_tolerance = kGradient,
                                  .change_tolerance = kChange, .history = kHistory});
  solver.step([&] {
    const double* v = w.data<double>();
    add_scores(x, outputs_, v, scores);
    parallel_blocks(n, kRows, [&](std::int64_t begin, std::int64_t end) {
      std::vector<double> p(std::size_t(classes_), 0.0);
      for (std::int64_t i = begin; i < end; ++i) {
        double* s = scores.data() + i * outputs_;
        losses[std::size_t(i)] = loss_of_row(s, classes_, labels[std::size_t(i)]);
        to_probabilities(s, classes_, p.data());
        // from here on the row holds its residuals
        for (std::int64_t k = 0; k < outputs_; ++k) {
          const std::int64_t c = classes_ == 2 ? 1 : k;
          s[k] = (p[std::size_t(c)] - (labels[std::size_t(i)] == c ? 1.0 : 0.0)) * per_row;
        }
      }
    });
    Tensor g = Tensor::zeros({size}, DType::f64);
    double* d = g.data<double>();
    parallel_blocks(columns_, kColumns, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t c = begin; c < end; ++c) {
        for (std::int64_t e = columns.start[std::size_t(c)]; e < columns.start[std::size_t(c) + 1]; ++e)
          for (std::int64_t k = 0; k < outputs_; ++k) d[c * outputs_ + k] += columns.value[std::size_t(e)] * scores[std::size_t(columns.row[std::size_t(e)] * outputs_ + k)];
        for (std::int64_t k = 0; k < outputs_; ++k) d[c * outputs_ + k] += penalty * v[c * outputs_ + k];
      }
    });
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t k = 0; k < outputs_; ++k) d[columns_ * outputs_ + k] += scores[std::size_t(i * outputs_ + k)];
    double loss = 0, squares = 0;
    for (double l : losses) loss += l;
    for (std::int64_t j = 0; j < columns_ * outputs_; ++j) squares += v[j] * v[j];
    w.set_grad(g);
    return loss * per_row + 0.5 * penalty * squares;
  });
  const auto values = w.span<double>();
  weights_.assign(values.begin(), values.end());
}

LogisticRegression::LogisticRegression(std::int64_t columns, std::int64_t classes, std::vector<double> weights)
    : classes_(classes), outputs_(classes == 2 ? 1 : classes), columns_(columns), weights_(std::move(weights)) {
  if (classes < 2 || columns < 1 || std::int64_t(weights_.size()) != (columns + 1) * outputs_)
    throw_usage("LogisticRegression", std::to_string(weights_.size()) + " weights for " + std::to_string(columns) + " columns and " + std::to_string(classes) + " classes");
}

std::vector<double> LogisticRegression::scores(const SparseRows& x) const {
  if (x.columns != columns_) throw_usage("LogisticRegression", std::to_string(x.columns) + " columns, fitted on " + std::to_string(columns_));
  std::vector<double> s(std::size_t(x.rows() * outputs_));
  add_scores(x, outputs_, weights_.data(), s);
  return s;
}

std::vector<double> LogisticRegression::logits(const SparseRows& x) const {
  std::vector<double> s = scores(x);
  if (classes_ != 2) return s;
  std::vector<double> both;
  for (double v : s) both.insert(both.end(), {0.0, v});
  return both;
}

std::vector<double> LogisticRegression::probabilities(const SparseRows& x) const {
  const std::vector<double> s = scores(x);
  std::vector<double> p(std::size_t(x.rows() * classes_));
  for (std::int64_t i = 0; i < x.rows(); ++i) to_probabilities(s.data() + i * outputs_, classes_, p.data() + i * classes_);
  return p;
}

double LogisticRegression::log_loss(const SparseRows& x, std::span<const std::int64_t> labels) const {
  const std::vector<double> s = scores(x);
  double sum = 0;
  for (std::int64_t i = 0; i < x.rows(); ++i) sum += loss_of_row(s.data() + i * outputs_, classes_, labels[std::size_t(i)]);
  return sum / double(std::max<std::int64_t>(1, x.rows()));
}

}  // namespace tenon::genomics
