#include "genomics/audit/split.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <set>

#include "tenon/error.hpp"

using namespace tenon;
using namespace tenon::genomics;

TEST_CASE("split: clusters stay whole, classes keep their shares, the seed decides") {
  std::vector<std::int32_t> cluster;
  std::vector<std::string> label;
  for (int i = 0; i < 1000; ++i) {
    cluster.push_back(i < 300 ? i / 10 : i);  // 30 clusters of 10, the rest alone
    label.push_back(i % 4 == 0 ? "rare" : "common");
  }
  std::map<std::int32_t, std::int32_t> renumber;
  for (auto& c : cluster) c = renumber.emplace(c, std::int32_t(renumber.size())).first->second;
  const std::vector<double> sizes = {8, 1, 1};
  auto part = split_by_cluster(cluster, label, sizes, 7);
  std::map<std::int32_t, std::set<int>> parts_of;
  std::map<std::pair<int, std::string>, int> counts;
  for (std::size_t i = 0; i < part.size(); ++i) {
    parts_of[cluster[i]].insert(part[i]);
    ++counts[{part[i], label[i]}];
  }
  for (const auto& [c, parts] : parts_of) CHECK(parts.size() == 1);
  CHECK(std::abs(counts[{0, "rare"}] - 200) <= 2);
  CHECK(std::abs(counts[{1, "rare"}] - 25) <= 2);
  CHECK(std::abs(counts[{0, "common"}] - 600) <= 2);
  CHECK(std::abs(counts[{2, "common"}] - 75) <= 2);
  CHECK(split_by_cluster(cluster, label, sizes, 7) == part);
  CHECK(split_by_cluster(cluster, label, sizes, 8) != part);
}

TEST_CASE("split: a cluster larger than a small part does not go there") {
  std::vector<std::int32_t> cluster(60, 0);
  std::vector<std::string> label(100, "");
  for (int i = 0; i < 40; ++i) cluster.push_back(1 + i);
  const std::vector<double> sizes = {0.2, 0.8};
  auto part = split_by_cluster(cluster, label, sizes, 0);
  CHECK(part[0] == 1);
  CHECK(std::count(part.begin(), part.end(), 0) == 20);
  CHECK_THROWS_AS(split_by_cluster(cluster, std::span<const std::string>(label).first(3), sizes, 0), Error);
  CHECK_THROWS_AS(split_by_cluster(cluster, label, std::vector<double>{1, 0}, 0), Error);
}
