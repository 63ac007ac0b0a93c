/// Sequences as sparse rows of k-mer counts, for linear models. Windows with an unknown base are left out.
#pragma once

#include <cstdint>
#include <span>

#include "genomics/baselines/logistic.hpp"

namespace tenon::genomics {

/// Encoded sequences: codes [rows, width] u8 with 4 for unknown and for padding.
struct CodedRows {
  const std::uint8_t* codes = nullptr;
  std::int64_t width = 0;
  std::span<const std::int64_t> rows;     ///< which of them
  std::span<const std::int64_t> lengths;  ///< in bases, of every row there is; the counts do without
};

/// Counts of k-mers over the whole sequence, each row scaled to length 1. `both_strands`: a k-mer and its reverse complement count as one, so
/// that a sequence and its reverse complement have the same row, bit for bit.
SparseRows kmer_counts(const CodedRows& x, int k, bool both_strands);

/// Counts of k-mers by place, each row scaled to length 1: the sequence is cut into places of `bases` bases, twice, the second time half a
/// place further on, so that no motif is cut by both. A k-mer belongs to the places its first base lies in.
SparseRows placed_kmer_counts(const CodedRows& x, int k, std::int64_t bases);

/// Rows of several kinds side by side, scaled so that rows of length 1 stay so.
SparseRows side_by_side(std::span<const SparseRows> kinds);

}  // namespace tenon::genomics
