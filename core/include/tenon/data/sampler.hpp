/// Samplers: which item stands at which position of a run.
///
/// A sampler is a pure function from position to index. Positions count from 0 through the whole run; epoch e is [e length(), (e + 1)
/// length()). So the state of a run is one integer, resuming is exact at any step, and any thread may ask for any position. at() takes
/// O(1).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "tenon/export.hpp"
#include "tenon/random.hpp"

namespace tenon::data {

class TENON_API Sampler {
 public:
  virtual ~Sampler();
  virtual std::int64_t length() const = 0;  ///< positions an epoch
  /// The item at `position` >= 0.
  virtual std::int64_t at(std::int64_t position) const = 0;
};
using SamplerPtr = std::shared_ptr<const Sampler>;

/// 0, 1, ..., n - 1 in every epoch.
class TENON_API SequentialSampler : public Sampler {
 public:
  explicit SequentialSampler(std::int64_t n);
  std::int64_t length() const override { return n_; }
  std::int64_t at(std::int64_t position) const override;

 private:
  std::int64_t n_;
};

/// Every item once an epoch, each epoch in an order of its own (permutation.hpp).
class TENON_API ShuffleSampler : public Sampler {
 public:
  ShuffleSampler(std::int64_t n, const Random& random);
  std::int64_t length() const override { return n_; }
  std::int64_t at(std::int64_t position) const override;

 private:
  std::int64_t n_;
  Random random_;
};

/// Item i with probability weights[i] / sum, drawn anew each time (with replacement): Walker's alias table as Vose (1991) builds it.
class TENON_API WeightedSampler : public Sampler {
 public:
  WeightedSampler(const std::vector<double>& weights, std::int64_t length, const Random& random);
  std::int64_t length() const override { return length_; }
  std::int64_t at(std::int64_t position) const override;

 private:
  std::int64_t length_;
  Random random_;
  std::vector<std::uint64_t> keep_;  ///< of 2^32: how often the column's own item is kept
  std::vector<std::int64_t> alias_;
};

/// Every class equally often, exactly: among any C positions that begin at a multiple of C (the number of classes) each class stands once,
/// in random order; and within a class each item once before any stands again. `classes[i]` >= 0 is the class of item i; numbers that no
/// item has do not count.
class TENON_API BalancedSampler : public Sampler {
 public:
  BalancedSampler(const std::vector<std::int64_t>& classes, std::int64_t length, const Random& random);
  std::int64_t length() const override { return length_; }
  std::int64_t at(std::int64_t position) const override;

 private:
  std::int64_t length_;
  Random random_;
  std::vector<std::vector<std::int64_t>> members_;
};

/// What becomes of the items that do not divide evenly among the ranks.
enum class Remainder {
  pad,   ///< ranks are filled up with the first items of the same epoch: every item is seen, a few twice
  drop,  ///< the last items of the epoch are left out: none is seen twice
};

/// The share of rank `rank` of `ranks`: positions rank, rank + ranks, ... of each epoch of `base`. All ranks have equally many and, where
/// `base` gives each item once, no item is on two ranks (but for padding).
class TENON_API ShardSampler : public Sampler {
 public:
  ShardSampler(SamplerPtr base, std::int64_t rank, std::int64_t ranks, Remainder remainder);
  std::int64_t length() const override { return length_; }
  std::int64_t at(std::int64_t position) const override;

 private:
  SamplerPtr base_;
  std::int64_t rank_, ranks_, length_;
};

}  // namespace tenon::data
