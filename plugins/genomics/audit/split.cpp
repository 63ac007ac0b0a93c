#include "genomics/audit/split.hpp"

#include <algorithm>
#include <map>
#include <numeric>

#include "tenon/error.hpp"
#include "tenon/random.hpp"

namespace tenon::genomics {
namespace {

constexpr std::uint64_t kSplitStream = 0x5b117;

}  // namespace

std::vector<int> split_by_cluster(std::span<const std::int32_t> cluster, std::span<const std::string> label, std::span<const double> sizes, std::uint64_t seed) {
  if (cluster.size() != label.size()) throw_usage("split_by_cluster", "one cluster and one label a record are needed");
  if (sizes.empty() || std::any_of(sizes.begin(), sizes.end(), [](double s) { return !(s > 0); })) throw_usage("split_by_cluster", "the sizes of the parts must be above 0");
  std::map<std::string, std::size_t> label_number;
  for (const auto& l : label) label_number.emplace(l, 0);
  std::size_t labels = 0;
  for (auto& [name, number] : label_number) number = labels++;

  std::size_t clusters = 0;
  for (auto c : cluster) clusters = std::max(clusters, std::size_t(c) + 1);
  std::vector<std::vector<std::size_t>> members(clusters);
  std::vector<double> total(labels, 0);
  std::vector<std::size_t> numbers(label.size());
  for (std::size_t i = 0; i < label.size(); ++i) {
    members[std::size_t(cluster[i])].push_back(i);
    numbers[i] = label_number.at(label[i]);
    ++total[numbers[i]];
  }

  const Random random(seed, kSplitStream);
  std::vector<std::size_t> order(clusters);
  std::iota(order.begin(), order.end(), std::size_t(0));
  std::vector<std::pair<std::uint32_t, std::uint32_t>> draw(clusters);
  for (std::size_t c = 0; c < clusters; ++c) {
    auto bits = random.bits(c);
    draw[c] = {bits[0], bits[1]};
  }
  std::sort(order.begin(), order.end(), [&](auto a, auto b) {
    if (members[a].size() != members[b].size()) return members[a].size() > members[b].size();
    return draw[a] != draw[b] ? draw[a] < draw[b] : a < b;
  });

  // Minimised: the sum over parts and classes of (held - wanted)^2 / wanted; each cluster goes where it lowers that most.
  const double whole = std::accumulate(sizes.begin(), sizes.end(), 0.0);
  std::vector<double> held(sizes.size() * labels, 0), counts(labels, 0);
  std::vector<int> part(label.size(), 0);
  for (auto c : order) {
    for (auto i : members[c]) ++counts[numbers[i]];
    double most = 0;
    std::size_t best = 0;
    for (std::size_t p = 0; p < sizes.size(); ++p) {
      double gain = 0;
      for (std::size_t l = 0; l < labels; ++l) {
        const double wanted = total[l] * sizes[p] / whole;
        gain += counts[l] * (2 * (wanted - held[p * labels + l]) - counts[l]) / wanted;
      }
      if (p == 0 || gain > most) most = gain, best = p;
    }
    for (auto i : members[c]) counts[numbers[i]] = 0;
    for (auto i : members[c]) {
      part[i] = int(best);
      ++held[best * labels + numbers[i]];
    }
  }
  return part;
}

}  // namespace tenon::genomics
