#include <omp.h>

#include <algorithm>
#include <exception>
#include <mutex>

#include "tenon/device.hpp"
#include "tenon/kernel.hpp"
#include "tenon/memory.hpp"
#include "tensor/thread_pool.hpp"

namespace tenon {
namespace {

/// Libraries called inside a task must not start threads of their own: their view of OpenMP is one thread.
struct OneThreadInside {
  int before = omp_get_max_threads();
  OneThreadInside() { omp_set_num_threads(1); }
  ~OneThreadInside() { omp_set_num_threads(before); }
};

thread_local bool inside = false;

}  // namespace

SerialScope::SerialScope() : before_(inside) { inside = true; }
SerialScope::~SerialScope() { inside = before_; }

void parallel_for(std::int64_t n, FunctionRef<void(std::int64_t)> body) {
  if (n <= 0) return;
  OneThreadInside guard;
  const int threads = n == 1 || inside ? 1 : int(std::min<std::int64_t>(thread_count(), n));
  // Every task runs, and the failure of the lowest index is the one rethrown, for any number of threads.
  std::exception_ptr failure;
  std::int64_t failed_at = n;
  std::mutex mutex;
  auto attempt = [&](std::int64_t i) {
    try {
      body(i);
    } catch (...) {
      std::lock_guard lock(mutex);
      if (i < failed_at) {
        failed_at = i;
        failure = std::current_exception();
      }
    }
  };
  const MemoryTag tag = MemoryScope::current();
  bool shared = !inside && threads > 1 && ThreadPool::instance().run(threads, n, [&](std::int64_t i) {
    SerialScope nested;
    MemoryScope of_caller(tag);
    attempt(i);
  });
  if (!shared)
    for (std::int64_t i = 0; i < n; ++i) attempt(i);
  if (failure) std::rethrow_exception(failure);
}

void parallel_blocks(std::int64_t n, std::int64_t grain, FunctionRef<void(std::int64_t, std::int64_t)> body) {
  grain = std::max<std::int64_t>(grain, 1);
  parallel_for(n / grain + (n % grain != 0), [&](std::int64_t block) { body(block * grain, block * grain + std::min(grain, n - block * grain)); });
}

}  // namespace tenon
