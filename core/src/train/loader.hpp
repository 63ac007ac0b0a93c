/// The trainer's batches, filled ahead by threads into tensors that are used again and again.
///
/// Batch `s` is filled by `fill(s, tensors)`; since it depends on `s` alone, neither the number of threads nor a restart changes it.
/// (data::Loader is the same for data sets with items; a Task fills whole batches in place.) At most `prefetch` batches wait. One consumer.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "data/prefetch.hpp"
#include "tenon/task.hpp"

namespace tenon {

class BatchLoader {
 public:
  using Fill = std::function<void(std::int64_t step, std::vector<Tensor>& batch)>;
  BatchLoader(const std::vector<TensorSpec>& spec, std::int64_t first_step, int threads, int prefetch, Fill fill);

  /// The batch of the next step; its tensors are the caller's until the next call. Rethrows what `fill` threw for it.
  const std::vector<Tensor>& next() { return batches_[prefetch_.next()]; }
  double waited_seconds() const noexcept { return prefetch_.waited_seconds(); }

 private:
  std::vector<std::vector<Tensor>> batches_;  ///< by slot
  Prefetch prefetch_;                         ///< last: its threads use the batches
};

}  // namespace tenon
