#include "tensor/thread_pool.hpp"

#include <omp.h>
#include <pthread.h>

#include <chrono>
#include <thread>

namespace tenon {
namespace {

using Clock = std::chrono::steady_clock;
// About what a wake-up by the kernel costs. Longer waits hurt beside a busy process: a step took half as long again with 200 us, twice with 1 ms.
constexpr auto kSpin = std::chrono::microseconds(50);
constexpr int kPausesALook = 64;  // at the clock

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// Whether `ready` came true while spinning.
template <class Ready>
bool spin_until(const Ready& ready) {
  const auto until = Clock::now() + kSpin;
  do {
    for (int i = 0; i < kPausesALook; ++i) {
      if (ready()) return true;
      pause();
    }
  } while (Clock::now() < until);
  return false;
}

}  // namespace

ThreadPool* ThreadPool::self_ = nullptr;

ThreadPool& ThreadPool::instance() {
  static ThreadPool* pool = new ThreadPool();  // never destroyed: workers may be waiting while the process exits
  return *pool;
}

ThreadPool::ThreadPool() {
  self_ = this;
  pthread_atfork(nullptr, nullptr, [] { self_->forked_child_ = true; });
}

void ThreadPool::ensure_workers(int count) {
  for (; started_ < count; ++started_) std::thread([this, index = std::uint32_t(started_)] { work(index); }).detach();
}

bool ThreadPool::run(int threads, std::int64_t n, FunctionRef<void(std::int64_t)> task) {
  if (forked_child_) return false;
  std::unique_lock lock(caller_, std::try_to_lock);
  if (!lock) return false;
  const int helpers = threads - 1;
  ensure_workers(helpers);
  task_ = &task;
  n_ = n;
  next_.store(0, std::memory_order_relaxed);
  running_.store(helpers, std::memory_order_relaxed);
  word_.store(((word_.load(std::memory_order_relaxed) >> 16) + 1) << 16 | std::uint64_t(helpers));  // publishes all of the above
  if (sleeping_.load() > 0) {
    { std::lock_guard wake(sleep_); }
    changed_.notify_all();
  }
  take_indices();
  wait_for_workers();
  return true;
}

void ThreadPool::take_indices() {
  for (std::int64_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < n_;) (*task_)(i);
}

void ThreadPool::work(std::uint32_t index) {
  omp_set_num_threads(1);  // libraries called in a task see one thread
  std::uint64_t seen = 0;
  while (true) {
    seen = wait_for_change(seen);
    if (index >= (seen & 0xffff)) continue;
    take_indices();
    if (running_.fetch_sub(1) == 1 && caller_sleeps_.load()) {
      { std::lock_guard wake(sleep_); }
      done_.notify_one();
    }
  }
}

std::uint64_t ThreadPool::wait_for_change(std::uint64_t seen) {
  if (spin_until([&] { return word_.load(std::memory_order_acquire) != seen; })) return word_.load(std::memory_order_acquire);
  // Either this thread sees the new word after it is counted, or the caller sees it counted: no wake-up is lost.
  std::unique_lock lock(sleep_);
  ++sleeping_;
  changed_.wait(lock, [&] { return word_.load() != seen; });
  --sleeping_;
  return word_.load();
}

void ThreadPool::wait_for_workers() {
  if (spin_until([&] { return running_.load(std::memory_order_acquire) == 0; })) return;
  std::unique_lock lock(sleep_);
  caller_sleeps_ = true;
  done_.wait(lock, [&] { return running_.load() == 0; });
  caller_sleeps_ = false;
}

}  // namespace tenon
