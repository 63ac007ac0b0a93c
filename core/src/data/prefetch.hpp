/// Work done ahead of its use, by threads, and handed over in order (private).
///
/// Step s = first, first + 1, ... is worked by `work(s, slot)` on whichever thread is free; it must depend on s alone. Slots are numbers in
/// [0, slots()): what lies in a slot is the owner's business. At most `ahead` finished steps wait. One consumer.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace tenon {

class Prefetch {
 public:
  using Work = std::function<void(std::int64_t step, std::size_t slot)>;
  /// `threads` 0: next() does the work itself. `ahead` >= 1.
  Prefetch(std::int64_t first, int threads, int ahead, Work work);
  ~Prefetch();  ///< waits for work that has begun
  Prefetch(const Prefetch&) = delete;
  Prefetch& operator=(const Prefetch&) = delete;

  static std::size_t slots(int ahead) { return std::size_t(ahead) + 1; }
  /// The slot of the next step, the caller's until the next call. Rethrows what `work` threw for that step; the call after that goes on
  /// with the step that follows.
  std::size_t next();
  /// The same where the next step's work is done, without waiting; else, and where the work threw, nothing: next() tells.
  std::optional<std::size_t> next_if_ready();
  std::int64_t taken() const noexcept { return next_to_take_; }  ///< the step that next() will give
  double waited_seconds() const noexcept { return waited_; }

 private:
  struct Slot {
    bool ready = false;
    std::exception_ptr failure;
  };
  void run();
  void stop();
  std::size_t slot_of(std::int64_t step) const { return std::size_t((step - first_) % std::int64_t(slots_.size())); }

  const std::int64_t first_;
  Work work_;
  std::mutex mutex_;
  std::condition_variable filled_, freed_;
  std::vector<Slot> slots_;
  std::int64_t next_to_fill_, next_to_take_;  ///< the second is written by the consumer alone, under the lock
  bool stopping_ = false;
  double waited_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace tenon
