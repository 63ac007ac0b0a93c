#include "train/loader.hpp"

#include <chrono>

#include "tenon/device.hpp"
#include "tenon/kernel.hpp"

namespace tenon {

BatchLoader::BatchLoader(const std::vector<TensorSpec>& spec, std::int64_t first_step, int threads, int prefetch, Fill fill)
    : fill_(std::move(fill)), slots_(std::size_t(prefetch) + 1), next_to_fill_(first_step), next_to_take_(first_step), first_(first_step) {
  for (Slot& slot : slots_)
    for (const TensorSpec& s : spec) slot.tensors.push_back(Tensor::empty(s.shape, s.dtype));
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

BatchLoader::~BatchLoader() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  freed_.notify_all();
  for (std::thread& t : threads_) t.join();
}

void BatchLoader::work() {
  SerialScope serial;  // the compute threads own the cores; this one must not start more
  std::unique_lock lock(mutex_);
  while (true) {
    // the slot of the batch that was handed out last is still the caller's
    freed_.wait(lock, [&] { return stopping_ || next_to_fill_ < next_to_take_ + std::int64_t(slots_.size()) - 1; });
    if (stopping_) return;
    std::int64_t step = next_to_fill_++;
    Slot& slot = slots_[std::size_t(step % std::int64_t(slots_.size()))];
    lock.unlock();
    std::exception_ptr failure;
    try {
      fill_(step, slot.tensors);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    slot.step = step;
    slot.failure = failure;
    slot.ready = true;
    filled_.notify_all();
  }
}

const std::vector<Tensor>& BatchLoader::next() {
  auto start = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  std::int64_t step = next_to_take_;
  if (step > first_) slots_[std::size_t((step - 1) % std::int64_t(slots_.size()))].ready = false;
  Slot& slot = slots_[std::size_t(step % std::int64_t(slots_.size()))];
  filled_.wait(lock, [&] { return slot.ready && slot.step == step; });
  ++next_to_take_;
  lock.unlock();
  freed_.notify_all();
  waited_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (slot.failure) std::rethrow_exception(slot.failure);
  return slot.tensors;
}

}  // namespace tenon
