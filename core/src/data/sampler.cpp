#include "tenon/data/sampler.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "tenon/error.hpp"
#include "tenon/permutation.hpp"

namespace tenon::data {
namespace {

void require_length(const char* op, std::int64_t length) {
  if (length < 1) throw_usage(op, "length " + std::to_string(length), "there must be at least one item");
}

std::int64_t checked(const char* op, std::int64_t position) {
  if (position < 0) throw_usage(op, "position " + std::to_string(position), "positions count from 0");
  return position;
}

}  // namespace

Sampler::~Sampler() = default;

SequentialSampler::SequentialSampler(std::int64_t n) : n_(n) {
  require_length("SequentialSampler", n);
}

std::int64_t SequentialSampler::at(std::int64_t position) const {
  return checked("SequentialSampler", position) % n_;
}

ShuffleSampler::ShuffleSampler(std::int64_t n, const Random& random) : n_(n), random_(random) {
  require_length("ShuffleSampler", n);
}

std::int64_t ShuffleSampler::at(std::int64_t position) const {
  const std::int64_t epoch = checked("ShuffleSampler", position) / n_;
  return Permutation(n_, random_.child(std::uint64_t(epoch)))(position % n_);
}

WeightedSampler::WeightedSampler(const std::vector<double>& weights, std::int64_t length, const Random& random)
    : length_(length), random_(random) {
  require_length("WeightedSampler", length);
  const std::size_t n = weights.size();
  require_length("WeightedSampler", std::int64_t(n));
  double total = 0;
  for (double w : weights) {
    if (!(w >= 0) || !std::isfinite(w)) throw_usage("WeightedSampler", "weight " + std::to_string(w), "weights are finite and 0 or more");
    total += w;
  }
  if (!(total > 0) || !std::isfinite(total)) throw_usage("WeightedSampler", "the weights sum to " + std::to_string(total));
  // Columns of equal height: each item below the mean is topped up by one above it.
  std::vector<double> height(n);
  std::vector<std::size_t> low, high;
  for (std::size_t i = 0; i < n; ++i) {
    height[i] = weights[i] / total * double(n);
    (height[i] < 1 ? low : high).push_back(i);
  }
  keep_.assign(n, std::uint64_t(1) << 32);
  alias_.resize(n);
  for (std::size_t i = 0; i < n; ++i) alias_[i] = std::int64_t(i);
  while (!low.empty() && !high.empty()) {
    const std::size_t small = low.back(), large = high.back();
    low.pop_back();
    keep_[small] = std::uint64_t(std::ldexp(height[small], 32));
    alias_[small] = std::int64_t(large);
    height[large] -= 1 - height[small];
    if (height[large] < 1) {
      high.pop_back();
      low.push_back(large);
    }
  }
  // What rounding left in `low` is full to within it; but an item of weight 0 is never drawn.
  const auto heaviest = std::max_element(weights.begin(), weights.end()) - weights.begin();
  for (std::size_t i : low)
    if (weights[i] == 0) {
      keep_[i] = 0;
      alias_[i] = heaviest;
    }
}

std::int64_t WeightedSampler::at(std::int64_t position) const {
  const auto words = random_.bits(std::uint64_t(checked("WeightedSampler", position)));
  __extension__ using u128 = unsigned __int128;
  const auto column = std::size_t((u128(std::uint64_t(words[0]) << 32 | words[1]) * keep_.size()) >> 64);
  return words[2] < keep_[column] ? std::int64_t(column) : alias_[column];
}

BalancedSampler::BalancedSampler(const std::vector<std::int64_t>& classes, std::int64_t length, const Random& random)
    : length_(length), random_(random) {
  require_length("BalancedSampler", length);
  require_length("BalancedSampler", std::int64_t(classes.size()));
  std::vector<std::int64_t> names = classes;
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  if (names[0] < 0) throw_usage("BalancedSampler", "class " + std::to_string(names[0]), "classes count from 0");
  members_.resize(names.size());
  for (std::size_t i = 0; i < classes.size(); ++i)
    members_[std::size_t(std::lower_bound(names.begin(), names.end(), classes[i]) - names.begin())].push_back(std::int64_t(i));
}

std::int64_t BalancedSampler::at(std::int64_t position) const {
  const std::int64_t count = std::int64_t(members_.size()), round = checked("BalancedSampler", position) / count;
  const std::int64_t c = Permutation(count, random_.child(std::uint64_t(round)))(position % count);
  // The round-th visit of class c: that many items into the endless row of its shuffles.
  const std::vector<std::int64_t>& items = members_[std::size_t(c)];
  const std::int64_t n = std::int64_t(items.size());
  const Random pass = random_.child(~std::uint64_t(c)).child(std::uint64_t(round / n));
  return items[std::size_t(Permutation(n, pass)(round % n))];
}

ShardSampler::ShardSampler(SamplerPtr base, std::int64_t rank, std::int64_t ranks, Remainder remainder)
    : base_(std::move(base)), rank_(rank), ranks_(ranks), length_(0) {
  if (!base_) throw_usage("ShardSampler", "no sampler given");
  if (ranks < 1 || rank < 0 || rank >= ranks)
    throw_usage("ShardSampler", "rank " + std::to_string(rank) + " of " + std::to_string(ranks), "ranks count from 0");
  length_ = base_->length() / ranks + (remainder == Remainder::pad && base_->length() % ranks != 0);
  if (length_ == 0)
    throw_usage("ShardSampler", std::to_string(base_->length()) + " items for " + std::to_string(ranks) + " ranks",
                "use fewer ranks, or Remainder::pad");
}

std::int64_t ShardSampler::at(std::int64_t position) const {
  const std::int64_t epoch = checked("ShardSampler", position) / length_, n = base_->length();
  return base_->at(epoch * n + (position % length_ * ranks_ + rank_) % n);
}

}  // namespace tenon::data
