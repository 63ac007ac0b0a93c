#include "tenon/data/sampler.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <set>

#include "tenon/error.hpp"
#include "tenon/permutation.hpp"

using namespace tenon;
using namespace tenon::data;
using Catch::Contains;

namespace {

std::vector<std::int64_t> epoch_of(const Sampler& sampler, std::int64_t epoch) {
  std::vector<std::int64_t> all;
  for (std::int64_t k = 0; k < sampler.length(); ++k) all.push_back(sampler.at(epoch * sampler.length() + k));
  return all;
}

// Chi-square against equal counts; `fit` is where its distribution (normal for many cells) passes six standard deviations.
void check_uniform(const std::vector<std::int64_t>& counts) {
  double total = 0, chi = 0;
  for (auto c : counts) total += double(c);
  const double expected = total / double(counts.size()), freedom = double(counts.size() - 1);
  for (auto c : counts) chi += (double(c) - expected) * (double(c) - expected) / expected;
  CHECK(chi < freedom + 6 * std::sqrt(2 * freedom) + 10);
  CHECK(chi > freedom - 6 * std::sqrt(2 * freedom));
}

}  // namespace

TEST_CASE("a shuffle is a bijection for every length, and another one each epoch", "[data][sampler]") {
  for (std::int64_t n : {1, 2, 3, 5, 31, 32, 33, 64, 65, 100, 255, 256, 257, 1000, 4097}) {
    const ShuffleSampler sampler(n, Random(5, 7));
    for (std::int64_t epoch : {0, 1, 1000000}) {
      auto order = epoch_of(sampler, epoch);
      if (n > 5) CHECK(order != epoch_of(sampler, epoch + 1));
      std::sort(order.begin(), order.end());
      bool complete = true;
      for (std::int64_t i = 0; i < n; ++i) complete = complete && order[std::size_t(i)] == i;
      CHECK(complete);
    }
  }
  // far beyond what could be stored: within range, and all different
  const Permutation huge(std::int64_t(1) << 50, Random(1, 2));
  std::set<std::int64_t> seen;
  for (std::int64_t k = 0; k < 1000; ++k) {
    REQUIRE(huge(k) >= 0);
    REQUIRE(huge(k) < std::int64_t(1) << 50);
    seen.insert(huge(k));
  }
  CHECK(seen.size() == 1000);
}

TEST_CASE("all orders of a few items are equally likely", "[data][sampler]") {
  std::map<std::vector<std::int64_t>, std::int64_t> seen;
  const ShuffleSampler sampler(4, Random(3, 0));
  for (std::int64_t epoch = 0; epoch < 24000; ++epoch) ++seen[epoch_of(sampler, epoch)];
  CHECK(seen.size() == 24);
  std::vector<std::int64_t> counts;
  for (const auto& [order, count] : seen) counts.push_back(count);
  check_uniform(counts);
}

TEST_CASE("in shuffles of many items every item meets every place, and neighbours part", "[data][sampler]") {
  const std::int64_t n = 40;  // a Feistel network of 6 bits, cycle-walked
  std::vector<std::int64_t> places(std::size_t(n * n)), gaps(std::size_t(n - 1));
  for (std::uint64_t epoch = 0; epoch < 8000; ++epoch) {
    const Permutation p(n, Random(11, epoch));
    std::int64_t before = p(n - 1);
    for (std::int64_t k = 0; k < n; ++k) {
      const std::int64_t at = p(k);
      ++places[std::size_t(k * n + at)];
      ++gaps[std::size_t((at - before + n) % n - 1)];
      before = at;
    }
  }
  check_uniform(places);
  check_uniform(gaps);
}

TEST_CASE("weighted samples have their weights' frequencies, and never weight 0", "[data][sampler]") {
  const std::vector<double> weights{1, 0, 5, 0.5, 3.5, 0};
  const WeightedSampler sampler(weights, 100000, Random(9, 1));
  std::vector<double> counts(weights.size());
  for (std::int64_t i : epoch_of(sampler, 3)) ++counts[std::size_t(i)];
  double chi = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double expected = weights[i] * 10000;
    if (weights[i] == 0)
      CHECK(counts[i] == 0);
    else
      chi += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  CHECK(chi < 20);  // 3 degrees of freedom: p = 2e-4
  CHECK(epoch_of(sampler, 0) != epoch_of(sampler, 1));
}

TEST_CASE("balanced samples show each class equally often and each of its items in turn", "[data][sampler]") {
  std::vector<std::int64_t> classes(103, 0);
  for (std::size_t i = 0; i < 9; ++i) classes[i * 11] = 4;
  classes[50] = 9;
  const BalancedSampler sampler(classes, 270, Random(2, 2));
  std::map<std::int64_t, std::int64_t> by_class, by_item;
  for (std::int64_t i : epoch_of(sampler, 0)) {
    ++by_class[classes[std::size_t(i)]];
    ++by_item[i];
  }
  CHECK(by_class == std::map<std::int64_t, std::int64_t>{{0, 90}, {4, 90}, {9, 90}});
  for (std::size_t i = 0; i < 9; ++i) CHECK(by_item[std::int64_t(i * 11)] == 10);
  for (const auto& [item, count] : by_item)
    if (classes[std::size_t(item)] == 0) CHECK(count == 1);  // 90 visits of 93 items
}

TEST_CASE("shards share an epoch out without overlap", "[data][sampler]") {
  for (std::int64_t n : {12, 13, 14}) {
    const auto base = std::make_shared<ShuffleSampler>(n, Random(1, 1));
    for (const Remainder remainder : {Remainder::pad, Remainder::drop})
      for (std::int64_t epoch : {0, 5}) {
        std::multiset<std::int64_t> all;
        for (std::int64_t rank = 0; rank < 3; ++rank) {
          const ShardSampler shard(base, rank, 3, remainder);
          CHECK(shard.length() == (n == 12 ? 4 : remainder == Remainder::pad ? 5 : 4));
          for (std::int64_t i : epoch_of(shard, epoch)) all.insert(i);
        }
        const std::set<std::int64_t> distinct(all.begin(), all.end());
        if (remainder == Remainder::drop) CHECK(distinct.size() == all.size());
        if (remainder == Remainder::pad) {
          CHECK(distinct.size() == std::size_t(n));
          CHECK(all.size() == (n == 12 ? 12 : 15));
        }
      }
  }
}

TEST_CASE("samplers say what is wrong", "[data][sampler][misuse]") {
  CHECK_THROWS_WITH(ShuffleSampler(0, Random(1, 1)), Contains("ShuffleSampler: length 0"));
  CHECK_THROWS_WITH(SequentialSampler(3).at(-1), Contains("position -1"));
  CHECK_THROWS_WITH(WeightedSampler({1, -2}, 4, Random(1, 1)), Contains("weight -2"));
  CHECK_THROWS_WITH(WeightedSampler({0, 0}, 4, Random(1, 1)), Contains("sum to 0"));
  CHECK_THROWS_WITH(BalancedSampler({0, -1}, 4, Random(1, 1)), Contains("class -1"));
  const auto base = std::make_shared<SequentialSampler>(3);
  CHECK_THROWS_WITH(ShardSampler(base, 2, 2, Remainder::pad), Contains("rank 2 of 2"));
  CHECK_THROWS_WITH(ShardSampler(base, 0, 4, Remainder::drop), Contains("3 items for 4 ranks"));
}
