/// What a task offers to tools that score sequences of their own making (variants, mutants): probabilities of its targets.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tenon/nn/module.hpp"
#include "tenon/task.hpp"

namespace tenon::genomics {

class SequenceScorer {
 public:
  virtual ~SequenceScorer() = default;
  /// Bases that the model reads.
  virtual std::int64_t input_length() const = 0;
  /// Names of what is scored: the positive class of two, or every class of more.
  virtual std::vector<std::string> targets() const = 0;
  /// Probabilities [n * targets] of codes u8 [n, input_length]; the strand as given.
  virtual std::vector<double> target_probabilities(nn::Module& model, const Tensor& codes, const Monitor& monitor) = 0;
};

}  // namespace tenon::genomics
