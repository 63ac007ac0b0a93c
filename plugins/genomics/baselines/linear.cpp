#include "genomics/baselines/linear.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "tenon/error.hpp"
#include "tenon/permutation.hpp"

namespace tenon::genomics {
namespace {

constexpr double kStrengths[] = {1, 10, 100, 1000};  // C of rows of length 1
constexpr std::uint64_t kHeldStream = 0x6b6d6572;    // "kmer"
constexpr std::int64_t kLongest = 10;

SparseRows features(const LinearSettings& s, const CodedRows& x) {
  std::vector<SparseRows> kinds;
  for (auto k : s.kmers) kinds.push_back(kmer_counts(x, int(k), s.both_strands));
  for (std::size_t i = 0; i < s.placed.size(); ++i) kinds.push_back(placed_kmer_counts(x, int(s.placed[i]), s.bases[i]));
  return kinds.size() == 1 ? std::move(kinds[0]) : side_by_side(kinds);
}

[[noreturn]] void refuse(const std::string& key, const std::string& what, const std::string& hint) {
  throw Error(ErrorKind::usage, "genomics.recipe", "linear." + key + ": " + what, hint, "linear." + key);
}

}  // namespace

const ParamSpec& linear_params() {
  static const ParamSpec spec{
      real_param("share", 0, "share that a logistic regression on k-mer counts has in the log-odds of the answer; 0: the network alone", 0, 1),
      integers_param("kmers", {6}, "lengths of the k-mers it counts over the whole sequence, on both strands where model.strand is not none", 1, kLongest),
      integers_param("placed", {}, "lengths of the k-mers it counts by place; for model.strand = none", 1, kLongest),
      integers_param("places", {}, "bases of a place, one number for each of linear.placed", 1, 1000000),
      real_param("strength", 0, "C of its penalty |W|^2 / (2 C); 0: chosen from 1, 10, 100, 1000 on a fifth of the training sequences", 0, 1e9),
  };
  return spec;
}

LinearSettings linear_settings(const ParamValues& v, bool both_strands) {
  LinearSettings s{v.real("share"), v.integers("kmers"), v.integers("placed"), v.integers("places"), v.real("strength"), both_strands};
  if (s.placed.size() != s.bases.size())
    refuse("places", std::to_string(s.bases.size()) + " numbers for " + std::to_string(s.placed.size()) + " lengths in linear.placed", "give one each");
  if (s.share == 0) return s;
  if (s.kmers.empty() && s.placed.empty()) refuse("kmers", "a member without k-mers", "name lengths in linear.kmers or linear.placed, or set linear.share = 0");
  if (both_strands && !s.placed.empty()) refuse("placed", "k-mers by place, and a model of both strands", "count them over the whole sequence (linear.kmers), or set model.strand = \"none\"");
  return s;
}

double choose_strength(const SparseRows& x, std::span<const std::int64_t> labels, std::int64_t classes, std::uint64_t seed) {
  const auto n = std::int64_t(labels.size());
  double best = 0, strength = kStrengths[1];
  if (n < 10) return strength;
  const Permutation order(n, Random(seed, kHeldStream));
  std::vector<std::int64_t> kept, held, kept_labels, held_labels;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t row = order(i);
    (5 * i < n ? held : kept).push_back(row);
    (5 * i < n ? held_labels : kept_labels).push_back(labels[std::size_t(row)]);
  }
  const SparseRows kept_rows = x.take(kept), held_rows = x.take(held);
  for (double c : kStrengths) {
    const double loss = LogisticRegression(kept_rows, kept_labels, classes, c).log_loss(held_rows, held_labels);
    if (c == kStrengths[0] || loss < best) best = loss, strength = c;
  }
  return strength;
}

LinearMember LinearMember::fit(const LinearSettings& settings, const CodedRows& train, std::span<const std::int64_t> labels, std::int64_t classes, std::uint64_t seed) {
  LinearSettings s = settings;
  const SparseRows x = features(s, train);
  if (s.strength == 0) s.strength = choose_strength(x, labels, classes, seed);
  return {s, LogisticRegression(x, labels, classes, s.strength)};
}

nlohmann::ordered_json LinearMember::to_json() const {
  return {{"share", settings_.share}, {"kmers", settings_.kmers}, {"placed", settings_.placed}, {"places", settings_.bases},
          {"both_strands", settings_.both_strands}, {"strength", settings_.strength}, {"columns", model_.columns()}, {"weights", model_.weights()}};
}

LinearMember LinearMember::from_json(const LinearSettings& settings, std::int64_t width, std::int64_t classes, const nlohmann::json& json) {
  LinearSettings s = settings;
  s.strength = json.at("strength").get<double>();
  const auto columns = json.at("columns").get<std::int64_t>();
  if (json.at("kmers").get<std::vector<std::int64_t>>() != s.kmers || json.at("placed").get<std::vector<std::int64_t>>() != s.placed ||
      json.at("places").get<std::vector<std::int64_t>>() != s.bases || json.at("both_strands").get<bool>() != s.both_strands)
    throw Error(ErrorKind::data, "genomics.state", "a linear member of other k-mers than the recipe names", "predict with the run's own recipe");
  auto weights = json.at("weights").get<std::vector<double>>();
  const auto outputs = std::size_t(classes == 2 ? 1 : classes);
  bool good = columns == features(s, {nullptr, width, {}, {}}).columns && weights.size() == (std::size_t(columns) + 1) * outputs;
  for (double w : weights) good &= std::isfinite(w);
  if (!good) throw Error(ErrorKind::data, "genomics.state", "a linear member whose weights do not fit its k-mers", "the run directory is damaged: train again");
  return {s, LogisticRegression(columns, classes, std::move(weights))};
}

std::vector<double> LinearMember::logits(const CodedRows& x) const {
  return model_.logits(features(settings_, x));
}

}  // namespace tenon::genomics
