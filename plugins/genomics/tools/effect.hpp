/// Effects of variants on what a model says: alternative against reference, both strands averaged before the difference.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "genomics/io/genome.hpp"
#include "genomics/tools/alternative.hpp"

namespace tenon::genomics {

/// Scores of one target for one allele.
struct Effect {
  double reference = 0, alternative = 0;  ///< probabilities
  double difference = 0;                  ///< alternative - reference
  double log_odds = 0;                    ///< difference of ln(p / (1 - p)), p clipped to [1e-6, 1 - 1e-6]
};
Effect effect_of(double reference, double alternative);

/// Probabilities [n * targets] of sequences as codes u8 [n, length].
using ScoreSequences = std::function<std::vector<double>(const Tensor& codes)>;

/// Windows that wait to be scored, and their scores: the reference of each place is scored once for all alleles at it.
class EffectBatch {
 public:
  /// `both_strands`: each probability is the mean of the sequence's and its reverse complement's.
  EffectBatch(std::int64_t length, std::int64_t targets, bool both_strands) : length_(length), targets_(targets), both_strands_(both_strands) {}
  /// Adds an allele by its two windows in letters; returns its number. A window equal to the last reference is not scored again.
  std::size_t add(const std::string& reference, const std::string& alternative);
  std::size_t size() const noexcept { return pairs_.size(); }
  /// Effects [allele][target]; empties the batch. A probability that is no number is an error naming the allele by `name`.
  std::vector<std::vector<Effect>> score(const ScoreSequences& model, const std::function<std::string(std::size_t)>& name);

 private:
  std::size_t window(const std::string& letters);
  std::int64_t length_, targets_;
  bool both_strands_;
  std::vector<std::string> windows_;
  std::vector<std::pair<std::size_t, std::size_t>> pairs_;  ///< reference, alternative among windows_
};

}  // namespace tenon::genomics
