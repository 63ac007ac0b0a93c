/// Every pair of sequences whose sets of 8-mers are alike, on one strand or the other: exact, by prefix filtering.
///
/// Jaccard(A, B) >= t holds just when |A and B| >= a = ceil(t (|A| + |B|) / (1 + t)). Sorted by one order of all words, rarest first, two such
/// sets share l words among the first |A| - a + l of A and the first |B| - a + l of B (Chaudhuri, Ganti, Kaushik, ICDE 2006; Xiao et al.,
/// PPJoin, WWW 2008). So an inverted list over those few rare words proposes the candidates, and each is decided by the whole sets.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace tenon::genomics {

struct NearPair {
  std::int32_t a = 0, b = 0;  ///< indices, a < b; a == b (reverse only): a sequence like its own reverse complement
  std::int32_t shared = 0, united = 0;  ///< words in both sets, in either; shared / united is the Jaccard index
  bool reverse = false;       ///< b's other strand is meant
  friend auto operator<=>(const NearPair&, const NearPair&) = default;
};

/// `sequences` differ from each other. `threshold` in (0, 1], of at most six decimals. In parallel; sorted; the same for any number of threads.
std::vector<NearPair> near_pairs(const std::vector<std::string_view>& sequences, double threshold);

}  // namespace tenon::genomics
