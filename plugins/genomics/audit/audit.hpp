/// The leak audit: what of a labelled set is there twice, on either strand, within and across its parts.
///
/// Exact duplicates are equal letters; near duplicates have a Jaccard index of their sets of distinct 8-mers of at least 0.7, on the same
/// strand or with one reverse-complemented. The verdicts are exact. Parts are what the caller wants told apart: files, or splits.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "genomics/audit/near_pairs.hpp"
#include "genomics/io/sequence_table.hpp"

namespace tenon::genomics {

inline constexpr double kNearThreshold = 0.7;
inline constexpr std::size_t kMostParts = 64;

/// Records with the part of each (an index into `parts`). Labels are compared as text; "" is no label.
struct AuditSet {
  std::span<const SequenceRecord> records;  ///< sequences in upper case, as read_sequences gives them
  std::vector<int> part;                    ///< one a record
  std::vector<std::string> parts;           ///< names, at most kMostParts
};

/// Pairs of different records; the first part's number is not above the second's.
struct PairCounts {
  std::int64_t exact = 0, exact_reverse = 0, near = 0, near_reverse = 0;
  std::int64_t near_disagree = 0;  ///< pairs of `near` or `near_reverse` with two labels; of both, once
};

struct Audit {
  double threshold = kNearThreshold;
  std::int64_t records = 0, distinct = 0, redundant = 0;  ///< redundant: records - distinct
  std::int64_t ambiguous = 0;                              ///< records with letters other than A, C, G, T
  std::int64_t identical_groups = 0, in_identical_groups = 0, two_label_groups = 0;
  std::vector<std::int64_t> part_records;                 ///< one a part
  std::vector<std::int64_t> part_with_neighbour;          ///< records with a near duplicate anywhere, same strand
  std::map<std::pair<int, int>, PairCounts> pairs;        ///< by parts; only where something was found
  std::vector<int> part;                                  ///< per record, as given
  std::vector<std::int32_t> identical;                    ///< per record: the first record with its letters
  std::vector<std::int32_t> cluster, cluster_both;        ///< per record, from 0 in order of first members: single linkage by near pairs of the
                                                          ///< same strand; of either strand
  std::int64_t clusters = 0, clusters_both = 0;
  std::vector<std::uint64_t> exact_in, near_in;           ///< per record: bit p, a copy (same strand; a near one on either strand) in part p
  std::vector<NearPair> near;                             ///< of distinct sequences, by their first records
};

/// In parallel. Cost: about 0.3 s for 17,000 sequences of 251 bp. Errors: usage for parts that do not fit.
Audit audit(const AuditSet& set, double threshold = kNearThreshold);

/// What of part `to` also stands in part `from`.
struct Leak {
  int from = 0, to = 0;
  double threshold = kNearThreshold;
  std::int64_t records = 0, exact = 0, near = 0;  ///< of `to`; how many have a copy in `from`; a near one (exact included) on either strand
};
/// Every ordered pair of different parts with a near duplicate between them.
std::vector<Leak> leaks(const Audit& audit);
/// "100 of 400 records of 'test' have a near duplicate in 'train' (8-mer Jaccard >= 0.7, either strand), 100 of them letter for letter".
std::string text_of(const Leak& leak, const std::vector<std::string>& parts);

/// Which records to keep so that each sequence stands once: the first of identical ones; none of a group with two labels.
std::vector<bool> without_duplicates(const AuditSet& set, const Audit& audit);

}  // namespace tenon::genomics
