/// The trainer's batches, filled ahead by threads into tensors that are used again and again.
///
/// Batch `s` is filled by `fill(s, tensors)`; since it depends on `s` alone, neither the number of threads nor a restart changes it.
/// (data::Loader is the same for data sets with items; a Task fills whole batches in place.) At most `prefetch` batches wait. One consumer.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "data/prefetch.hpp"
#include "tenon/export.hpp"
#include "tenon/task.hpp"

namespace tenon {

class TENON_API BatchLoader {  // exported for its tests alone
 public:
  /// May put another tensor in the place of one that it is given: the next time the batch has its own again.
  using Fill = std::function<void(std::int64_t step, std::vector<Tensor>& batch)>;
  using MakeTensor = std::function<Tensor(const TensorSpec&)>;
  /// `make`: a host tensor of a batch.
  BatchLoader(const std::vector<TensorSpec>& spec, std::int64_t first_step, int threads, int prefetch, Fill fill, const MakeTensor& make = ordinary);
  ~BatchLoader();

  /// The batch of the next step; its tensors are the caller's until another one is given. Rethrows what `fill` threw for it.
  const std::vector<Tensor>& next();
  /// The same without waiting; null where it is not there yet, or `fill` threw: next() tells.
  const std::vector<Tensor>* next_if_ready();
  double waited_seconds() const noexcept { return prefetch_.waited_seconds(); }

  static Tensor ordinary(const TensorSpec& spec) { return Tensor::empty(spec.shape, spec.dtype, kCpu); }

 private:
  struct Slot {
    std::vector<Tensor> own, batch;  ///< as made, and as filled
  };
  std::vector<Slot> slots_;
  Prefetch prefetch_;  ///< last: its threads use the slots
};

}  // namespace tenon
