#include "genomics/audit/audit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <string_view>
#include <unordered_map>

#include "genomics/audit/kmer_sets.hpp"
#include "genomics/io/letters.hpp"
#include "tenon/error.hpp"

namespace tenon::genomics {
namespace {

class Clusters {
 public:
  explicit Clusters(std::size_t n) : parent_(n) { std::iota(parent_.begin(), parent_.end(), 0); }
  std::int32_t find(std::int32_t i) {
    while (parent_[std::size_t(i)] != i) i = parent_[std::size_t(i)] = parent_[std::size_t(parent_[std::size_t(i)])];
    return i;
  }
  void join(std::int32_t a, std::int32_t b) {
    a = find(a), b = find(b);
    if (a != b) parent_[std::size_t(std::max(a, b))] = std::min(a, b);
  }
  /// Numbers from 0 in the order of first members; returns how many.
  std::int64_t number(std::vector<std::int32_t>& out) {
    std::vector<std::int32_t> numbers(parent_.size(), -1);
    std::int32_t count = 0;
    out.resize(parent_.size());
    for (std::size_t i = 0; i < parent_.size(); ++i) {
      auto root = std::size_t(find(std::int32_t(i)));
      if (numbers[root] < 0) numbers[root] = count++;
      out[i] = numbers[root];
    }
    return count;
  }

 private:
  std::vector<std::int32_t> parent_;
};

/// How many members of a group of identical records lie in each part, with each label.
using Tally = std::map<std::pair<int, std::string_view>, std::int64_t>;

class Auditor {
 public:
  Auditor(const AuditSet& set, double threshold) : set_(set), threshold_(threshold) {}

  Audit run() {
    out_.threshold = threshold_;
    group_identical();
    out_.near = near_pairs(sequences_, threshold_);
    exact_pairs();
    near_pairs_of_records();
    cluster();
    return std::move(out_);
  }

 private:
  std::string_view letters(std::size_t i) const { return set_.records[i].sequence; }

  void group_identical() {
    const std::size_t n = set_.records.size();
    out_.records = std::int64_t(n);
    out_.part_records.assign(set_.parts.size(), 0);
    out_.part_with_neighbour.assign(set_.parts.size(), 0);
    out_.identical.resize(n);
    out_.part = set_.part;
    out_.exact_in.assign(n, 0);
    out_.near_in.assign(n, 0);
    by_letters_.reserve(n);
    for (std::size_t i = 0; i < n; ++i) {
      ++out_.part_records[std::size_t(set_.part[i])];
      auto [it, fresh] = by_letters_.emplace(letters(i), std::int32_t(groups_.size()));
      if (fresh) {
        groups_.emplace_back();
        sequences_.push_back(letters(i));
        bool plain = std::all_of(letters(i).begin(), letters(i).end(), [](char c) { return base_code(c) < 4; });
        ambiguous_.push_back(!plain);
      }
      auto& group = groups_[std::size_t(it->second)];
      group.push_back(std::int32_t(i));
      out_.identical[i] = group.front();
      out_.ambiguous += ambiguous_[std::size_t(it->second)];
    }
    out_.distinct = std::int64_t(groups_.size());
    out_.redundant = out_.records - out_.distinct;
    tallies_.resize(groups_.size());
    parts_of_.assign(groups_.size(), 0);
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      std::string_view label;
      bool two = false;
      for (auto i : groups_[g]) {
        const auto& record = set_.records[std::size_t(i)];
        ++tallies_[g][{set_.part[std::size_t(i)], record.label}];
        parts_of_[g] |= std::uint64_t(1) << set_.part[std::size_t(i)];
        if (record.label.empty()) continue;
        two = two || (!label.empty() && label != record.label);
        label = record.label;
      }
      if (groups_[g].size() < 2) continue;
      ++out_.identical_groups;
      out_.in_identical_groups += std::int64_t(groups_[g].size());
      out_.two_label_groups += two;
    }
  }

  /// Adds the pairs between two groups (or inside one) to a counter, and where `labels` says so those with two labels to another: pairs that are
  /// near on both strands are two of the first and one of the other.
  void add_pairs(std::size_t a, std::size_t b, std::int64_t PairCounts::* count, bool labels) {
    for (auto x = tallies_[a].begin(); x != tallies_[a].end(); ++x) {
      for (auto y = a == b ? x : tallies_[b].begin(); y != tallies_[b].end(); ++y) {
        const std::int64_t pairs = a == b && x == y ? x->second * (x->second - 1) / 2 : x->second * y->second;
        if (pairs == 0) continue;
        auto& counts = out_.pairs[std::minmax(x->first.first, y->first.first)];
        counts.*count += pairs;
        const auto &p = x->first.second, &q = y->first.second;
        if (labels && !p.empty() && !q.empty() && p != q) counts.near_disagree += pairs;
      }
    }
  }

  void exact_pairs() {
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      if (groups_[g].size() > 1) {
        add_pairs(g, g, &PairCounts::exact, false);
        add_pairs(g, g, &PairCounts::near, true);  // a copy is near, words or not
        mark(g, g, true);
      }
      auto other = by_letters_.find(reverse_complement(sequences_[g]));
      if (other == by_letters_.end() || std::size_t(other->second) > g) continue;
      const auto h = std::size_t(other->second);
      add_pairs(g, h, &PairCounts::exact_reverse, false);
      mark(g, h, false);  // near, words or not
      if (words_.of(sequences_[g]).empty()) add_pairs(g, h, &PairCounts::near_reverse, g != h);  // no pair of near_pairs()
    }
  }

  /// Tells the records of each group in which parts the other one's are.
  void mark(std::size_t a, std::size_t b, bool exact) {
    auto set_bits = [&](std::size_t here, std::size_t there) {
      for (auto i : groups_[here]) {
        std::uint64_t bits = parts_of_[there];
        const auto own = std::uint64_t(1) << set_.part[std::size_t(i)];
        if (here == there) {  // itself is no copy
          std::int64_t beside = 0;
          for (const auto& [key, n] : tallies_[here]) beside += key.first == set_.part[std::size_t(i)] ? n : 0;
          if (beside < 2) bits &= ~own;
        }
        out_.near_in[std::size_t(i)] |= bits;
        if (exact) out_.exact_in[std::size_t(i)] |= bits;
      }
    };
    set_bits(a, b);
    if (a != b) set_bits(b, a);
  }

  void near_pairs_of_records() {
    std::vector<bool> neighbour(groups_.size());
    for (std::size_t g = 0; g < groups_.size(); ++g) neighbour[g] = groups_[g].size() > 1;
    std::set<std::pair<std::int32_t, std::int32_t>> same_strand;
    for (const auto& pair : out_.near)
      if (!pair.reverse) same_strand.emplace(pair.a, pair.b);
    for (auto& pair : out_.near) {
      const auto a = std::size_t(pair.a), b = std::size_t(pair.b);
      const bool again = pair.reverse && (a == b || same_strand.contains({pair.a, pair.b}));  // copies are near on the same strand
      add_pairs(a, b, pair.reverse ? &PairCounts::near_reverse : &PairCounts::near, !again);
      mark(a, b, false);
      if (!pair.reverse) neighbour[a] = neighbour[b] = true;
      if (!pair.reverse) same_strand_.emplace_back(groups_[a].front(), groups_[b].front());
      else other_strand_.emplace_back(groups_[a].front(), groups_[b].front());
      pair.a = groups_[a].front(), pair.b = groups_[b].front();
    }
    std::erase_if(out_.near, [](const NearPair& p) { return p.a == p.b; });
    for (std::size_t g = 0; g < groups_.size(); ++g)
      if (neighbour[g])
        for (auto i : groups_[g]) ++out_.part_with_neighbour[std::size_t(set_.part[std::size_t(i)])];
  }

  void cluster() {
    Clusters clusters(set_.records.size());
    for (const auto& group : groups_)
      for (auto i : group) clusters.join(group.front(), i);
    for (auto [a, b] : same_strand_) clusters.join(a, b);
    out_.clusters = clusters.number(out_.cluster);
    for (auto [a, b] : other_strand_) clusters.join(a, b);
    // An exact reverse complement too short for words is one all the same.
    for (std::size_t g = 0; g < groups_.size(); ++g)
      if (auto other = by_letters_.find(reverse_complement(sequences_[g])); other != by_letters_.end()) clusters.join(groups_[g].front(), groups_[std::size_t(other->second)].front());
    out_.clusters_both = clusters.number(out_.cluster_both);
  }

  const AuditSet& set_;
  double threshold_;
  Audit out_;
  std::unordered_map<std::string_view, std::int32_t> by_letters_;
  std::vector<std::string_view> sequences_;            // of each group of identical records
  std::vector<std::vector<std::int32_t>> groups_;
  std::vector<bool> ambiguous_;
  std::vector<Tally> tallies_;
  std::vector<std::uint64_t> parts_of_;
  KmerSet words_;
  std::vector<std::pair<std::int32_t, std::int32_t>> same_strand_, other_strand_;
};

}  // namespace

Audit audit(const AuditSet& set, double threshold) {
  if (set.part.size() != set.records.size()) throw_usage("audit", fmt::format("{} records and parts of {}", set.records.size(), set.part.size()));
  if (set.parts.size() > kMostParts) throw_usage("audit", fmt::format("{} parts, at most {} are told apart", set.parts.size(), kMostParts));
  for (int p : set.part)
    if (p < 0 || std::size_t(p) >= set.parts.size()) throw_usage("audit", fmt::format("a record of part {}, there are {}", p, set.parts.size()));
  return Auditor(set, threshold).run();
}

std::vector<Leak> leaks(const Audit& audit) {
  const std::size_t parts = audit.part_records.size();
  std::vector<Leak> all;
  for (std::size_t from = 0; from < parts; ++from)
    for (std::size_t to = 0; to < parts; ++to) all.push_back({int(from), int(to), audit.threshold, audit.part_records[to], 0, 0});
  for (std::size_t i = 0; i < audit.part.size(); ++i) {
    const auto to = std::size_t(audit.part[i]);
    for (std::size_t from = 0; from < parts; ++from) {
      all[from * parts + to].exact += std::int64_t(audit.exact_in[i] >> from & 1);
      all[from * parts + to].near += std::int64_t(audit.near_in[i] >> from & 1);
    }
  }
  std::erase_if(all, [](const Leak& leak) { return leak.from == leak.to || leak.near == 0; });
  return all;
}

std::string text_of(const Leak& leak, const std::vector<std::string>& parts) {
  return fmt::format("{} of {} records of '{}' have a near duplicate in '{}' (8-mer Jaccard >= {}, either strand), {} of them letter for letter", leak.near, leak.records,
                     parts[std::size_t(leak.to)], parts[std::size_t(leak.from)], leak.threshold, leak.exact);
}

std::vector<bool> without_duplicates(const AuditSet& set, const Audit& audit) {
  std::vector<bool> keep(set.records.size());
  std::vector<std::string_view> label(set.records.size());
  std::vector<bool> two(set.records.size());
  for (std::size_t i = 0; i < keep.size(); ++i) {
    const auto first = std::size_t(audit.identical[i]);
    const std::string_view own = set.records[i].label;
    if (own.empty()) continue;
    if (label[first].empty()) label[first] = own;
    else if (label[first] != own) two[first] = true;
  }
  for (std::size_t i = 0; i < keep.size(); ++i) keep[i] = audit.identical[i] == std::int32_t(i) && !two[i];
  return keep;
}

}  // namespace tenon::genomics
