/// The baselines that stand beside every sequence model: class prior, length, GC content, 6-mer logistic regression.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "genomics/baselines/kmers.hpp"

namespace tenon::genomics {

/// GC content and its square, centred.
SparseRows gc_content(const CodedRows& x);
SparseRows log_length(const CodedRows& x);

struct BaselineScores {
  std::string name, source;
  std::vector<double> probabilities;  ///< [rows of the scored part, classes]
};

/// All four, fitted on `train` and asked about `scored`. The strength of the 6-mer regression's penalty is chosen on a fifth of the
/// training rows, drawn by `seed`.
std::vector<BaselineScores> sequence_baselines(const CodedRows& train, std::span<const std::int64_t> labels, const CodedRows& scored,
                                               std::int64_t classes, bool both_strands, std::uint64_t seed);

}  // namespace tenon::genomics
