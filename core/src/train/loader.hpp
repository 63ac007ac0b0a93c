/// Batches prepared ahead by threads of their own, in order.
///
/// Batch `s` is filled by `fill(s, tensors)` on whichever thread is free; since it depends on `s` alone, neither the
/// number of threads nor a restart changes it. At most `prefetch` batches wait. One consumer.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "tenon/task.hpp"

namespace tenon {

class BatchLoader {
 public:
  using Fill = std::function<void(std::int64_t step, std::vector<Tensor>& batch)>;
  BatchLoader(const std::vector<TensorSpec>& spec, std::int64_t first_step, int threads, int prefetch, Fill fill);
  ~BatchLoader();
  BatchLoader(const BatchLoader&) = delete;
  BatchLoader& operator=(const BatchLoader&) = delete;

  /// The batch of the next step; its tensors are the caller's until the next call. Rethrows what `fill` threw for it.
  const std::vector<Tensor>& next();
  double waited_seconds() const noexcept { return waited_; }

 private:
  struct Slot {
    std::int64_t step = -1;
    bool ready = false;
    std::exception_ptr failure;
    std::vector<Tensor> tensors;
  };
  void work();

  Fill fill_;
  std::mutex mutex_;
  std::condition_variable filled_, freed_;
  std::vector<Slot> slots_;  ///< step s lives in slot s % size
  std::int64_t next_to_fill_, next_to_take_, first_;
  bool stopping_ = false;
  double waited_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace tenon
