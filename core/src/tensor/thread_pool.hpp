/// The one thread pool: workers that wait for a loop, take its indices one by one, and go back to waiting (private).
///
/// A worker that finds nothing to do spins for some tens of microseconds, for in a training step the next loop is near, and
/// then sleeps: on a machine that others use too, a core that waits must not take time from the one that works.
/// (GCC's OpenMP spins for longer; what that costs beside a busy process stands in docs/performance.md.)
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "tenon/kernel.hpp"

namespace tenon {

class ThreadPool {
 public:
  /// Lives as long as the process.
  static ThreadPool& instance();

  /// Runs task(i) for every i in [0, n) on the caller and threads - 1 workers. False, with nothing done, when another
  /// thread's loop has the pool or this process is a forked child, which has no workers: the caller then runs alone.
  bool run(int threads, std::int64_t n, FunctionRef<void(std::int64_t)> task);

 private:
  ThreadPool();
  void work(std::uint32_t index);
  void take_indices();
  void ensure_workers(int count);
  std::uint64_t wait_for_change(std::uint64_t seen);
  void wait_for_workers();

  std::mutex caller_;  ///< held by the thread whose loop is running
  int started_ = 0;
  bool forked_child_ = false;
  static ThreadPool* self_;

  // The loop under way: written by the caller before it moves word_, read by workers that take part.
  const FunctionRef<void(std::int64_t)>* task_ = nullptr;
  std::int64_t n_ = 0;

  alignas(64) std::atomic<std::int64_t> next_{0};
  alignas(64) std::atomic<std::uint64_t> word_{0};  ///< loops so far << 16 | workers that take part in the latest
  alignas(64) std::atomic<int> running_{0};         ///< workers not yet done with it
  std::atomic<int> sleeping_{0};
  std::atomic<bool> caller_sleeps_{false};
  std::mutex sleep_;
  std::condition_variable changed_, done_;
};

}  // namespace tenon
