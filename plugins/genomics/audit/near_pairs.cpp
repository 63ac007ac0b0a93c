#include "genomics/audit/near_pairs.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "genomics/audit/kmer_sets.hpp"
#include "tenon/error.hpp"
#include "tenon/kernel.hpp"

namespace tenon::genomics {
namespace {

constexpr std::int64_t kShared = 5;      // the `l` above: a hundredth of the candidates to decide, for a few more words to count
constexpr std::int64_t kScale = 1000000;  // thresholds are exact in millionths

class Join {
 public:
  Join(const std::vector<std::string_view>& sequences, double threshold) : sequences_(sequences), t_(std::llround(threshold * double(kScale))) {
    if (t_ < 1 || t_ > kScale) throw_usage("near_pairs", "the threshold must be above 0 and at most 1");
    if (std::abs(threshold * double(kScale) - double(t_)) > 1e-6) throw_usage("near_pairs", "thresholds are exact in millionths", "give one with at most six decimals");
    rank_words();
    order_by_size();
    index_prefixes();
  }

  std::vector<NearPair> run() {
    const std::int64_t n = std::int64_t(order_.size()), grain = 128;
    std::vector<std::vector<NearPair>> found(std::size_t((n + grain - 1) / grain));
    parallel_blocks(n, grain, [&](std::int64_t begin, std::int64_t end) {
      std::vector<std::uint16_t> counts(std::size_t(end), 0);
      std::vector<std::uint32_t> touched;
      KmerSet words;
      std::vector<std::uint16_t> query;
      auto& out = found[std::size_t(begin / grain)];
      for (std::int64_t i = begin; i < end; ++i) {
        const std::uint16_t* own = set_begin(i);
        query.assign(own, own + size_of(i));
        search(i, query, false, counts, touched, out);
        query.clear();
        for (auto w : words.of(sequences_[order_[std::size_t(i)]], true)) query.push_back(rank_[w]);
        std::sort(query.begin(), query.end());
        search(i, query, true, counts, touched, out);
      }
    });
    std::vector<NearPair> all;
    for (auto& part : found) all.insert(all.end(), part.begin(), part.end());
    std::sort(all.begin(), all.end());
    return all;
  }

 private:
  /// The least number of shared words of sets of these sizes.
  std::int64_t needed(std::int64_t a, std::int64_t b) const { return (t_ * (a + b) + kScale + t_ - 1) / (kScale + t_); }
  std::int64_t size_of(std::int64_t ordered) const { return std::int64_t(starts_[std::size_t(ordered) + 1] - starts_[std::size_t(ordered)]); }
  const std::uint16_t* set_begin(std::int64_t ordered) const { return sets_.data() + starts_[std::size_t(ordered)]; }

  /// Rare words first; equal counts by the word, so that the order is one.
  void rank_words() {
    std::vector<std::uint32_t> frequency(kAuditWords, 0);
    sizes_.resize(sequences_.size());
    KmerSet words;
    for (std::size_t i = 0; i < sequences_.size(); ++i) {
      const auto& set = words.of(sequences_[i]);
      sizes_[i] = std::uint32_t(set.size());
      for (auto w : set) ++frequency[w];
    }
    std::vector<std::uint32_t> by_count(kAuditWords);
    std::iota(by_count.begin(), by_count.end(), 0u);
    std::sort(by_count.begin(), by_count.end(), [&](auto a, auto b) { return std::pair(frequency[a], a) < std::pair(frequency[b], b); });
    rank_.resize(kAuditWords);
    for (std::size_t r = 0; r < kAuditWords; ++r) rank_[by_count[r]] = std::uint16_t(r);
  }

  /// Sets in ascending size; without words nothing is comparable.
  void order_by_size() {
    order_.resize(sequences_.size());
    std::iota(order_.begin(), order_.end(), 0u);
    std::erase_if(order_, [&](auto i) { return sizes_[i] == 0; });
    std::stable_sort(order_.begin(), order_.end(), [&](auto a, auto b) { return sizes_[a] < sizes_[b]; });
    starts_.assign(order_.size() + 1, 0);
    for (std::size_t i = 0; i < order_.size(); ++i) starts_[i + 1] = starts_[i] + sizes_[order_[i]];
    sets_.resize(starts_.back());
    parallel_blocks(std::int64_t(order_.size()), 256, [&](std::int64_t begin, std::int64_t end) {
      KmerSet words;
      for (std::int64_t i = begin; i < end; ++i) {
        auto* out = sets_.data() + starts_[std::size_t(i)];
        for (auto w : words.of(sequences_[order_[std::size_t(i)]])) *out++ = rank_[w];
        std::sort(sets_.data() + starts_[std::size_t(i)], out);
      }
    });
  }

  /// Partners that are searched for from a set are at most as large: the prefix of the smaller one of a pair.
  void index_prefixes() {
    auto prefix = [&](std::int64_t i) { return std::min(size_of(i), size_of(i) - needed(size_of(i), size_of(i)) + kShared); };
    lists_.assign(kAuditWords + 1, 0);
    const std::int64_t n = std::int64_t(order_.size());
    std::uint64_t total = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      total += std::uint64_t(prefix(i));
      for (std::int64_t p = 0; p < prefix(i); ++p) ++lists_[std::size_t(set_begin(i)[p]) + 1];
    }
    if (total > std::numeric_limits<std::uint32_t>::max()) throw_usage("near_pairs", "more sequences than the index can count", "audit parts of the set");
    std::partial_sum(lists_.begin(), lists_.end(), lists_.begin());
    entries_.resize(lists_.back());
    auto next = lists_;
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t p = 0; p < prefix(i); ++p) entries_[next[set_begin(i)[p]]++] = std::uint32_t(i);
  }

  /// First in the order whose size is at least `size`.
  std::int64_t first_of_size(std::int64_t size) const {
    return std::partition_point(order_.begin(), order_.end(), [&](auto i) { return std::int64_t(sizes_[i]) < size; }) - order_.begin();
  }

  /// Pairs of set `i` (its words in `query`) with those up to it in the order.
  void search(std::int64_t i, const std::vector<std::uint16_t>& query, bool reverse, std::vector<std::uint16_t>& counts, std::vector<std::uint32_t>& touched,
              std::vector<NearPair>& out) const {
    const std::int64_t size = std::int64_t(query.size()), limit = reverse ? i + 1 : i;
    if (size == 0) return;
    const std::int64_t smallest = (t_ * size + kScale - 1) / kScale, first = first_of_size(smallest);
    std::int64_t end = limit;
    for (std::int64_t p = 0; p < size; ++p) {
      // Word p lies in the query's prefix against partners of size b while p < size - needed(size, b) + l.
      if (p >= size - needed(size, size) + kShared) {
        std::int64_t b = size_of(std::max<std::int64_t>(end - 1, 0));
        while (b >= smallest && p >= size - needed(size, b) + kShared) --b;
        if (b < smallest) break;
        end = std::min(end, first_of_size(b + 1));
      }
      const auto word = query[std::size_t(p)];
      const auto* list = entries_.data() + lists_[word];
      const auto* list_end = entries_.data() + lists_[std::size_t(word) + 1];
      // Sizes are mostly alike, so that few lists begin with a set too small.
      const auto* e = list != list_end && std::int64_t(*list) < first ? std::lower_bound(list, list_end, std::uint32_t(first)) : list;
      for (; e != list_end && std::int64_t(*e) < end; ++e)
        if (counts[*e]++ == 0) touched.push_back(*e);
    }
    // Most share a word or two by chance: they go without another look. The smallest partner needs fewest words.
    const std::int64_t least = std::min(kShared, needed(size, smallest));
    for (auto j : touched) {
      const bool candidate = counts[j] >= least;
      counts[j] = 0;
      if (!candidate) continue;
      const std::int64_t other = size_of(j), need = needed(size, other);
      const std::int64_t shared = overlap(query, set_begin(j), other, need);
      if (shared < need) continue;
      auto a = std::int32_t(order_[std::size_t(i)]), b = std::int32_t(order_[j]);
      out.push_back({std::min(a, b), std::max(a, b), std::int32_t(shared), std::int32_t(size + other - shared), reverse});
    }
    touched.clear();
  }

  /// Shared words, or fewer than `need` as soon as so many cannot be reached.
  static std::int64_t overlap(const std::vector<std::uint16_t>& a, const std::uint16_t* b, std::int64_t b_size, std::int64_t need) {
    std::int64_t shared = 0, i = 0, j = 0, n = std::int64_t(a.size());
    std::int64_t a_spare = n - need, b_spare = b_size - need;
    while (i < n && j < b_size) {
      if (a[std::size_t(i)] == b[j]) ++shared, ++i, ++j;
      else if (a[std::size_t(i)] < b[j]) {
        if (--a_spare < 0) return -1;
        ++i;
      } else {
        if (--b_spare < 0) return -1;
        ++j;
      }
    }
    return shared;
  }

  const std::vector<std::string_view>& sequences_;
  std::int64_t t_;
  std::vector<std::uint16_t> rank_;         // of a word, rarest 0
  std::vector<std::uint32_t> sizes_;        // of each sequence's set
  std::vector<std::uint32_t> order_;        // sequences by size
  std::vector<std::size_t> starts_;         // of each ordered set in sets_
  std::vector<std::uint16_t> sets_;         // ranks, ascending
  std::vector<std::uint32_t> lists_;        // of each rank in entries_
  std::vector<std::uint32_t> entries_;      // ordered sets that hold the rank in their prefix, ascending
};

}  // namespace

std::vector<NearPair> near_pairs(const std::vector<std::string_view>& sequences, double threshold) { return Join(sequences, threshold).run(); }

}  // namespace tenon::genomics
