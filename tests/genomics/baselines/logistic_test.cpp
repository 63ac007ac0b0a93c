#include "genomics/baselines/logistic.hpp"

#include <catch2/catch.hpp>

#include "core/ops/gradient_check.hpp"
#include "genomics/baselines/baselines.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using namespace tenon::genomics;

namespace {

#include "genomics/golden/classification.inc"

/// As in golden/make_classification.py.
SparseRows rows(std::vector<std::int64_t>& labels, std::int64_t classes) {
  SparseRows x;
  x.columns = 12;
  for (std::int64_t i = 0; i < 60; ++i) {
    std::vector<std::pair<std::int32_t, double>> row;
    for (std::int64_t j = 0; j < 4; ++j) row.emplace_back(std::int32_t((i * 7 + j * 3) % 12), 1 + double((i * 5 + j * 11) % 13) / 7);
    std::sort(row.begin(), row.end());
    for (const auto& [c, v] : row) {
      x.column.push_back(c);
      x.value.push_back(v);
    }
    x.end_row();
    labels.push_back((i * i + i / 3) % classes);
  }
  return x;
}

CodedRows coded(const std::vector<std::uint8_t>& codes, std::int64_t width, const std::vector<std::int64_t>& which, const std::vector<std::int64_t>& lengths) {
  return {codes.data(), width, which, lengths};
}

}  // namespace

TEST_CASE("logistic regression finds scikit-learn's optimum", "[genomics][baselines]") {
  for (std::int64_t classes : {2, 3}) {
    std::vector<std::int64_t> labels;
    const SparseRows x = rows(labels, classes);
    const LogisticRegression model(x, labels, classes, classes == 2 ? 0.7 : 5.0);
    const auto p = model.probabilities(x);
    const auto& expected = classes == 2 ? kProbabilities2 : kProbabilities3;
    check::require_close({p.begin(), p.begin() + std::ptrdiff_t(expected.size())}, expected, 1e-5);
    // With softmax the intercepts are known up to a constant, which no probability shows.
    const auto& weights = classes == 2 ? kWeights2 : kWeights3;
    const std::size_t compared = classes == 2 ? weights.size() : weights.size() - 3;
    check::require_close({model.weights().begin(), model.weights().begin() + std::ptrdiff_t(compared)}, {weights.begin(), weights.begin() + std::ptrdiff_t(compared)}, 1e-4);
    double loss = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) loss -= std::log(p[i * std::size_t(classes) + std::size_t(labels[i])]) / double(labels.size());
    CHECK(model.log_loss(x, labels) == Approx(loss).epsilon(1e-10));
  }
}

TEST_CASE("logistic regression gives the same bits for any number of threads", "[genomics][baselines][threads]") {
  std::vector<std::int64_t> labels;
  const SparseRows x = rows(labels, 3);
  check::same_bits([&] { return std::vector{Tensor::from(LogisticRegression(x, labels, 3, 2.0).weights(), {39})}; });
}

TEST_CASE("logistic regression refuses what it cannot fit", "[genomics][baselines]") {
  std::vector<std::int64_t> labels;
  const SparseRows x = rows(labels, 3);
  CHECK_THROWS(LogisticRegression(x, labels, 2, 1.0));  // a label 2
  CHECK_THROWS(LogisticRegression(x, labels, 3, 0.0));
  CHECK_THROWS(LogisticRegression(x, std::vector<std::int64_t>{1}, 3, 1.0));
}

TEST_CASE("k-mers are counted within runs of known bases, on one strand or both", "[genomics][baselines]") {
  // ACGTN ACG: 2-mers AC CG GT, AC CG
  const std::vector<std::uint8_t> codes{0, 1, 2, 3, 4, 0, 1, 2};
  const std::vector<std::int64_t> which{0}, lengths{8};
  const SparseRows one = kmer_counts(coded(codes, 8, which, lengths), 2, false);
  REQUIRE(one.columns == 16);
  CHECK(one.column == std::vector<std::int32_t>{1, 6, 11});
  const double unit = std::sqrt(2.0 * 2 + 2 * 2 + 1);
  check::require_close(one.value, {2 / unit, 2 / unit, 1 / unit}, 1e-12);
  // GT is AC's reverse complement, CG its own
  const SparseRows both = kmer_counts(coded(codes, 8, which, lengths), 2, true);
  CHECK(both.column == std::vector<std::int32_t>{1, 6});
  check::require_close(both.value, {3 / std::sqrt(13.0), 2 / std::sqrt(13.0)}, 1e-12);
}

TEST_CASE("the four baselines know what they can know", "[genomics][baselines]") {
  // class 1: rich in G and C, longer
  const std::int64_t n = 200, width = 40;
  std::vector<std::uint8_t> codes;
  std::vector<std::int64_t> labels, lengths, train, scored;
  const Random random(5, 1);
  for (std::int64_t i = 0; i < n; ++i) {
    const bool one = i % 4 == 1;
    labels.push_back(one);
    lengths.push_back(one ? 38 : 30);
    (i < 150 ? train : scored).push_back(i);
    for (std::int64_t j = 0; j < width; ++j) {
      const auto b = random.bits(std::uint64_t(i * width + j));
      codes.push_back(j >= lengths.back() ? 4 : uniform_from_bits(b[0]) < (one ? 0.8f : 0.3f) ? std::uint8_t(1 + (b[1] & 1)) : std::uint8_t(b[1] & 1 ? 0 : 3));
    }
  }
  std::vector<std::int64_t> train_labels(labels.begin(), labels.begin() + 150);
  const auto found = sequence_baselines(coded(codes, width, train, lengths), train_labels, coded(codes, width, scored, lengths), 2, false, 3);
  REQUIRE(found.size() == 4);
  for (const auto& b : found) {
    REQUIRE(b.probabilities.size() == 100);
    int right = 0;
    for (std::size_t i = 0; i < 50; ++i) {
      REQUIRE(b.probabilities[2 * i] + b.probabilities[2 * i + 1] == Approx(1));
      right += (b.probabilities[2 * i + 1] >= 0.5) == (labels[150 + i] == 1);
    }
    INFO(b.name);
    if (b.name == "class prior")
      CHECK(b.probabilities[1] == Approx(38.0 / 150));
    else
      CHECK(right >= 43);  // the prior is right in 37 of 50
  }
}
