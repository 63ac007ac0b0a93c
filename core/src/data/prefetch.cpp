#include "data/prefetch.hpp"

#include <chrono>
#include <utility>

#include "tenon/kernel.hpp"

namespace tenon {

Prefetch::Prefetch(std::int64_t first, int threads, int ahead, Work work)
    : first_(first), work_(std::move(work)), slots_(slots(ahead)), next_to_fill_(first), next_to_take_(first) {
  try {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
  } catch (...) {  // the system gives no more threads: those that run must end before this does
    stop();
    throw;
  }
}

Prefetch::~Prefetch() {
  stop();
}

void Prefetch::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  freed_.notify_all();
  for (std::thread& t : threads_) t.join();
}

void Prefetch::run() {
  SerialScope serial;  // the compute threads own the cores; this one must not start more
  std::unique_lock lock(mutex_);
  while (true) {
    // the slot that was handed out last is still the consumer's
    freed_.wait(lock, [&] { return stopping_ || next_to_fill_ < next_to_take_ + std::int64_t(slots_.size()) - 1; });
    if (stopping_) return;
    const std::int64_t step = next_to_fill_++;
    lock.unlock();
    std::exception_ptr failure;
    try {
      work_(step, slot_of(step));
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    slots_[slot_of(step)] = {true, failure};
    filled_.notify_all();
  }
}

std::size_t Prefetch::next() {
  const std::int64_t step = next_to_take_;
  const std::size_t slot = slot_of(step);
  if (threads_.empty()) {
    ++next_to_take_;
    work_(step, slot);
    return slot;
  }
  const auto start = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  filled_.wait(lock, [&] { return slots_[slot].ready; });
  // Taken now, so that the threads may fill it once the consumer comes back for the next.
  const std::exception_ptr failure = std::exchange(slots_[slot], {}).failure;
  ++next_to_take_;
  lock.unlock();
  freed_.notify_all();
  waited_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (failure) std::rethrow_exception(failure);
  return slot;
}

std::optional<std::size_t> Prefetch::next_if_ready() {
  if (threads_.empty()) return {};
  const std::size_t slot = slot_of(next_to_take_);
  {
    std::lock_guard lock(mutex_);
    if (!slots_[slot].ready || slots_[slot].failure) return {};
    slots_[slot] = {};
    ++next_to_take_;
  }
  freed_.notify_all();
  return slot;
}

}  // namespace tenon
