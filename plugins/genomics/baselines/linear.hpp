/// The linear member of a classifier: logistic regression on k-mer counts, whose log-odds are averaged with the network's.
///
/// Networks and k-mer counts err on different sequences, above all where there are few to learn from. The member is fitted once, on the training
/// part alone, is kept in the run's state, and gives a sequence and its reverse complement the same bits where the model takes both strands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "genomics/baselines/kmers.hpp"
#include "tenon/params.hpp"

namespace tenon::genomics {

/// C of the four that are tried that has the least loss on a fifth of the rows, drawn by `seed`; 10 for fewer than ten rows.
double choose_strength(const SparseRows& x, std::span<const std::int64_t> labels, std::int64_t classes, std::uint64_t seed);

struct LinearSettings {
  double share = 0;                        ///< of the member in the answer; 0: there is none
  std::vector<std::int64_t> kmers;         ///< lengths, counted over the whole sequence
  std::vector<std::int64_t> placed, bases; ///< lengths of those counted by place, and the places' bases
  double strength = 0;                     ///< C; 0: chosen
  bool both_strands = false;
};

/// Declared parameters of the recipe's [linear] section, and their values. Throws usage errors for what makes no member.
const ParamSpec& linear_params();
LinearSettings linear_settings(const ParamValues& values, bool both_strands);

class LinearMember {
 public:
  static LinearMember fit(const LinearSettings& settings, const CodedRows& train, std::span<const std::int64_t> labels, std::int64_t classes, std::uint64_t seed);
  /// From what a trained model kept; throws genomics.state where it does not fit.
  static LinearMember from_json(const LinearSettings& settings, std::int64_t width, std::int64_t classes, const nlohmann::json& json);
  nlohmann::ordered_json to_json() const;

  double share() const { return settings_.share; }
  double strength() const { return settings_.strength; }
  /// Log-odds [rows, classes].
  std::vector<double> logits(const CodedRows& x) const;

 private:
  LinearMember(LinearSettings settings, LogisticRegression model) : settings_(std::move(settings)), model_(std::move(model)) {}
  LinearSettings settings_;
  LogisticRegression model_;
};

}  // namespace tenon::genomics
