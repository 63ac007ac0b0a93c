#include "genomics/tools/effect.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "genomics/io/letters.hpp"
#include "tenon/error.hpp"

namespace tenon::genomics {
namespace {

double log_odds(double p) {
  p = std::clamp(p, 1e-6, 1 - 1e-6);
  return std::log(p) - std::log1p(-p);
}

}  // namespace

Effect effect_of(double reference, double alternative) { return {reference, alternative, alternative - reference, log_odds(alternative) - log_odds(reference)}; }

std::size_t EffectBatch::window(const std::string& letters) {
  if (std::int64_t(letters.size()) != length_) throw_usage("EffectBatch", fmt::format("a window of {} bases, {} are wanted", letters.size(), length_));
  windows_.push_back(letters);
  return windows_.size() - 1;
}

std::size_t EffectBatch::add(const std::string& reference, const std::string& alternative) {
  const bool again = !pairs_.empty() && windows_[pairs_.back().first] == reference;
  const std::size_t first = again ? pairs_.back().first : window(reference);
  pairs_.emplace_back(first, window(alternative));
  return pairs_.size() - 1;
}

std::vector<std::vector<Effect>> EffectBatch::score(const ScoreSequences& model, const std::function<std::string(std::size_t)>& name) {
  const std::int64_t n = std::int64_t(windows_.size()), strands = both_strands_ ? 2 : 1;
  if (n == 0) return {};
  Tensor codes = Tensor::empty({n * strands, length_}, DType::u8, kCpu);
  auto* p = codes.data<std::uint8_t>();
  for (std::int64_t i = 0; i < n; ++i) {
    std::uint8_t* row = p + i * strands * length_;
    const auto& letters = windows_[std::size_t(i)];
    for (std::int64_t k = 0; k < length_; ++k) row[k] = base_code(letters[std::size_t(k)]);
    if (both_strands_)
      for (std::int64_t k = 0; k < length_; ++k) row[length_ + k] = complement_code(row[length_ - 1 - k]);
  }
  const auto scores = model(codes);
  if (std::int64_t(scores.size()) != n * strands * targets_) throw_usage("EffectBatch", fmt::format("the model gave {} scores for {} sequences of {} targets", scores.size(), n * strands, targets_));
  auto mean = [&](std::size_t w, std::int64_t target) {
    double sum = 0;
    for (std::int64_t s = 0; s < strands; ++s) sum += scores[std::size_t((std::int64_t(w) * strands + s) * targets_ + target)];
    return sum / double(strands);
  };
  std::vector<std::vector<Effect>> out;
  for (std::size_t a = 0; a < pairs_.size(); ++a) {
    auto& effects = out.emplace_back();
    for (std::int64_t t = 0; t < targets_; ++t) {
      effects.push_back(effect_of(mean(pairs_[a].first, t), mean(pairs_[a].second, t)));
      if (!std::isfinite(effects.back().difference)) {
        throw Error(ErrorKind::internal, "genomics.not_a_number", "the model's score is no number", "was the training stable? see metrics.jsonl of the run", name(a));
      }
    }
  }
  windows_.clear();
  pairs_.clear();
  return out;
}

}  // namespace tenon::genomics
