#include "genomics/baselines/linear.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "core/ops/gradient_check.hpp"
#include "genomics/models/sequence_net.hpp"
#include "tenon/error.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using namespace tenon::genomics;
using Catch::Matchers::Contains;

namespace {

/// Sequences of a few unknown bases; those of an odd number have CCGG in their middle.
struct Made {
  Tensor codes;
  std::vector<std::int64_t> rows, labels;
  explicit Made(std::int64_t n, std::int64_t width = 30, std::int64_t classes = 2) {
    std::vector<std::uint8_t> all;
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < width; ++j) {
        const auto draw = Random(7, 1).below(std::uint64_t(i * width + j), 40);
        all.push_back(draw == 0 ? std::uint8_t(4) : std::uint8_t(draw % 4));
      }
      if (i % 2)
        for (std::int64_t j = 0; j < 4; ++j) all[std::size_t(i * width + 13 + j)] = std::uint8_t(1 + j / 2);
      rows.push_back(i);
      labels.push_back(i % classes);
    }
    codes = Tensor::from(all, {n, width});
  }
  CodedRows coded() const { return of(codes); }
  CodedRows of(const Tensor& c) const { return {c.data<std::uint8_t>(), c.size(1), rows, {}}; }
};

std::vector<double> dense(const SparseRows& x) {
  std::vector<double> out(std::size_t(x.rows() * x.columns), 0.0);
  for (std::int64_t i = 0; i < x.rows(); ++i)
    for (std::int64_t e = x.start[std::size_t(i)]; e < x.start[std::size_t(i) + 1]; ++e) out[std::size_t(i * x.columns + x.column[std::size_t(e)])] = x.value[std::size_t(e)];
  return out;
}

LinearSettings settings(std::vector<std::int64_t> kmers, bool both) {
  LinearSettings s;
  s.share = 0.5;
  s.kmers = std::move(kmers);
  s.both_strands = both;
  return s;
}

ParamValues given(const std::vector<std::pair<std::string, std::string>>& values) {
  ParamValues v(linear_params());
  for (const auto& [name, text] : values) v.set_from_text(linear_params(), name, text, "test");
  return v;
}

}  // namespace

TEST_CASE("k-mers by place: each in the two places its first base lies in", "[genomics][baselines]") {
  const std::vector<std::uint8_t> codes{0, 1, 4, 3, 3, 3, 3, 3};  // ACNTTTTT
  const std::vector<std::int64_t> rows{0};
  const SparseRows x = placed_kmer_counts({codes.data(), 8, rows, {}}, 2, 4);
  const std::int64_t places = 8 / 4 + 2, ac = 1, tt = 15;
  REQUIRE(x.columns == 2 * places * 16);
  auto row = dense(x);
  // AC at 0, TT at 3, 4, 5, 6; in the second cut the places begin at -2, 2 and 6
  std::map<std::int64_t, double> expected{{ac, 1}, {tt, 1}, {16 + tt, 3}, {places * 16 + ac, 1}, {(places + 1) * 16 + tt, 3}, {(places + 2) * 16 + tt, 1}};
  double squares = 0;
  for (const auto& [c, v] : expected) squares += v * v;
  for (std::int64_t c = 0; c < x.columns; ++c) CHECK(row[std::size_t(c)] == Approx(expected.contains(c) ? expected[c] / std::sqrt(squares) : 0).margin(1e-12));
  CHECK_THROWS_WITH(placed_kmer_counts({nullptr, 4000, {}, {}}, 10, 1), Contains("more columns"));
}

TEST_CASE("kinds side by side keep rows of length 1", "[genomics][baselines]") {
  const Made made(5);
  const SparseRows one = kmer_counts(made.coded(), 2, false), two = placed_kmer_counts(made.coded(), 1, 6);
  const SparseRows both = side_by_side(std::vector<SparseRows>{one, two});
  CHECK(both.columns == one.columns + two.columns);
  for (std::int64_t i = 0; i < 5; ++i) {
    double squares = 0;
    for (std::int64_t e = both.start[std::size_t(i)]; e < both.start[std::size_t(i) + 1]; ++e) squares += both.value[std::size_t(e)] * both.value[std::size_t(e)];
    CHECK(squares == Approx(1));
  }
}

TEST_CASE("the linear member gives both strands the same bits", "[genomics][baselines][strand]") {
  const Made made(60);
  const LinearMember member = LinearMember::fit(settings({2, 4}, true), made.coded(), made.labels, 2, 1);
  const Tensor turned = reverse_complement_codes(made.codes);
  CHECK(member.logits(made.coded()) == member.logits(made.of(turned)));
  const LinearMember one_strand = LinearMember::fit(settings({2, 4}, false), made.coded(), made.labels, 2, 1);
  CHECK(one_strand.logits(made.coded()) != one_strand.logits(made.of(turned)));
}

TEST_CASE("the linear member learns, comes back from its state bit for bit, on any number of threads", "[genomics][baselines][threads]") {
  for (std::int64_t classes : {2, 3}) {
    const Made made(60, 30, classes);
    LinearSettings s = settings({3}, false);
    s.placed = {2};
    s.bases = {5};
    const LinearMember member = LinearMember::fit(s, made.coded(), made.labels, classes, 1);
    const auto logits = member.logits(made.coded());
    REQUIRE(std::int64_t(logits.size()) == 60 * classes);
    const auto json = nlohmann::json::parse(member.to_json().dump());
    const LinearMember again = LinearMember::from_json(s, 30, classes, json);
    CHECK(again.logits(made.coded()) == logits);
    CHECK(again.strength() == member.strength());
    check::same_bits([&] {
      return std::vector<Tensor>{Tensor::from(LinearMember::fit(s, made.coded(), made.labels, classes, 1).logits(made.coded()), {60, classes})};
    });

    LinearSettings other = s;
    other.kmers = {4};
    CHECK_THROWS_WITH(LinearMember::from_json(other, 30, classes, json), Contains("other k-mers"));
    CHECK_THROWS_WITH(LinearMember::from_json(s, 40, classes, json), Contains("do not fit"));
    auto cut = json;
    cut["weights"].erase(0);
    CHECK_THROWS_WITH(LinearMember::from_json(s, 30, classes, cut), Contains("do not fit"));
    if (classes == 2) {
      int right = 0;
      for (std::size_t i = 0; i < 60; ++i) right += (logits[2 * i + 1] > 0) == (made.labels[i] == 1);
      CHECK(right == 60);
    }
  }
}

TEST_CASE("what makes no linear member is refused by key", "[genomics][baselines]") {
  CHECK(linear_settings(given({}), true).share == 0);
  CHECK_THROWS_WITH(linear_settings(given({{"placed", "[3]"}}), false), Contains("linear.places") && Contains("0 numbers for 1"));
  CHECK_THROWS_WITH(linear_settings(given({{"share", "0.5"}, {"kmers", "[]"}}), false), Contains("without k-mers"));
  CHECK_THROWS_WITH(linear_settings(given({{"share", "0.5"}, {"placed", "[3]"}, {"places", "[10]"}}), true), Contains("both strands"));
}
