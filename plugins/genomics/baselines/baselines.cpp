#include "genomics/baselines/baselines.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "genomics/baselines/kmers.hpp"
#include "genomics/baselines/linear.hpp"

namespace tenon::genomics {
namespace {

constexpr int kKmer = 6;

SparseRows dense_rows(const CodedRows& x, std::int64_t columns, const auto& fill) {
  SparseRows out;
  out.columns = columns;
  std::vector<double> v(static_cast<std::size_t>(columns));
  for (auto row : x.rows) {
    fill(row, v);
    for (std::int64_t c = 0; c < columns; ++c) {
      out.column.push_back(std::int32_t(c));
      out.value.push_back(v[std::size_t(c)]);
    }
    out.end_row();
  }
  return out;
}

std::vector<double> repeated(const std::vector<double>& prior, std::size_t rows) {
  std::vector<double> p;
  for (std::size_t i = 0; i < rows; ++i) p.insert(p.end(), prior.begin(), prior.end());
  return p;
}

}  // namespace

SparseRows gc_content(const CodedRows& x) {
  return dense_rows(x, 2, [&](std::int64_t row, std::vector<double>& v) {
    const std::uint8_t* codes = x.codes + row * x.width;
    std::int64_t gc = 0, known = 0;
    for (std::int64_t i = 0; i < x.width; ++i)
      if (codes[i] < 4) {
        ++known;
        gc += codes[i] == 1 || codes[i] == 2;
      }
    v[0] = known ? 4 * (double(gc) / double(known) - 0.5) : 0;  // of the order of 1, as the penalty takes it
    v[1] = v[0] * v[0];
  });
}

SparseRows log_length(const CodedRows& x) {
  return dense_rows(x, 1, [&](std::int64_t row, std::vector<double>& v) { v[0] = std::log(double(std::max<std::int64_t>(1, x.lengths[std::size_t(row)]))); });
}

std::vector<BaselineScores> sequence_baselines(const CodedRows& train, std::span<const std::int64_t> labels, const CodedRows& scored,
                                               std::int64_t classes, bool both_strands, std::uint64_t seed) {
  const std::string fitted = "fitted on the " + std::to_string(train.rows.size()) + " training sequences";
  std::vector<BaselineScores> list;

  const SparseRows x = kmer_counts(train, kKmer, both_strands), at = kmer_counts(scored, kKmer, both_strands);
  const auto n = std::int64_t(labels.size());
  const double strength = choose_strength(x, labels, classes, seed);
  char text[160];
  std::snprintf(text, sizeof text, "%s, C = %g chosen on a fifth of them", both_strands ? ", both strands as one" : "", strength);
  list.push_back({"6-mer logistic regression", fitted + text, LogisticRegression(x, labels, classes, strength).probabilities(at)});
  list.push_back({"GC content", fitted, LogisticRegression(gc_content(train), labels, classes, 100).probabilities(gc_content(scored))});

  std::vector<double> prior(std::size_t(classes), 0.0);
  for (auto label : labels) prior[std::size_t(label)] += 1.0 / double(n);
  bool one_length = true;
  const std::int64_t first = train.rows.empty() ? 0 : train.lengths[std::size_t(train.rows[0])];
  for (auto row : train.rows) one_length &= train.lengths[std::size_t(row)] == first;
  for (auto row : scored.rows) one_length &= scored.lengths[std::size_t(row)] == first;
  if (one_length)  // says nothing more than the prior does
    list.push_back({"length", "all sequences have " + std::to_string(first) + " bases", repeated(prior, scored.rows.size())});
  else
    list.push_back({"length", fitted, LogisticRegression(log_length(train), labels, classes, 100).probabilities(log_length(scored))});
  list.push_back({"class prior", "shares of the classes in training", repeated(prior, scored.rows.size())});
  return list;
}

}  // namespace tenon::genomics
