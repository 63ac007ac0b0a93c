#include "tensor/memory.hpp"

#include <atomic>

namespace tenon {
namespace {

struct Counter {
  std::atomic<std::size_t> in_use{0}, peak{0};
};
std::array<std::array<Counter, kMemoryTags>, kDeviceTypes> counters;
thread_local MemoryTag current_tag = MemoryTag::other;

Counter& counter(DeviceType type, MemoryTag tag) noexcept { return counters[std::size_t(type)][std::size_t(tag)]; }

}  // namespace

std::string_view name_of(MemoryTag tag) noexcept {
  static constexpr std::array<std::string_view, kMemoryTags> names{"other", "parameters", "gradients", "optimiser state", "activations", "workspace", "data"};
  return names[std::size_t(tag)];
}

MemoryScope::MemoryScope(MemoryTag tag) noexcept : before_(current_tag) { current_tag = tag; }
MemoryScope::~MemoryScope() { current_tag = before_; }
MemoryTag MemoryScope::current() noexcept { return current_tag; }

void count_memory(DeviceType type, MemoryTag tag, std::size_t bytes) noexcept {
  Counter& c = counter(type, tag);
  const std::size_t now = c.in_use.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  std::size_t peak = c.peak.load(std::memory_order_relaxed);
  while (now > peak && !c.peak.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
  }
}

void uncount_memory(DeviceType type, MemoryTag tag, std::size_t bytes) noexcept { counter(type, tag).in_use.fetch_sub(bytes, std::memory_order_relaxed); }

std::array<MemoryUse, kMemoryTags> memory_use(DeviceType type) noexcept {
  std::array<MemoryUse, kMemoryTags> all;
  for (std::size_t i = 0; i < kMemoryTags; ++i) {
    const Counter& c = counters[std::size_t(type)][i];
    all[i] = {c.in_use.load(std::memory_order_relaxed), c.peak.load(std::memory_order_relaxed)};
  }
  return all;
}

}  // namespace tenon
