#include "tensor/memory.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <iterator>
#include <string>

#include "tenon/error.hpp"

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

namespace {

std::string bytes_text(std::size_t bytes) {
  static constexpr const char* kUnits[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  double value = double(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) value /= 1024, ++unit;
  char text[48];
  std::snprintf(text, sizeof text, unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text;
}

}  // namespace

void throw_out_of_memory(DeviceType type, std::size_t asked, std::size_t in_use) {
  const auto use = memory_use(type);
  std::array<std::size_t, kMemoryTags> order{};
  for (std::size_t i = 0; i < kMemoryTags; ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return use[a].in_use > use[b].in_use; });
  const MemoryTag wanted = MemoryScope::current();
  std::string text = std::string(type == DeviceType::cpu ? "out of memory" : "out of device memory") + ": asked for " + bytes_text(asked) + " (" + std::to_string(asked) + " bytes" +
                     (wanted == MemoryTag::other ? "" : " of " + std::string(name_of(wanted))) + ") with " + bytes_text(in_use) + " in use";
  const char* between = ": ";
  for (std::size_t i : order) {
    if (use[i].in_use == 0) continue;
    text += between + std::string(name_of(MemoryTag(i))) + " " + bytes_text(use[i].in_use);
    between = ", ";
  }
  const auto is_model = [](MemoryTag t) { return t == MemoryTag::parameters || t == MemoryTag::optimiser || t == MemoryTag::gradients; };
  const bool of_the_model = is_model(wanted) || (is_model(MemoryTag(order[0])) && use[order[0]].in_use > asked);
  throw Error(ErrorKind::device, "memory.exhausted", text,
              of_the_model ? "use a smaller model, or an optimiser that keeps less (sgd, adafactor)"
              : type == DeviceType::cpu ? "use a smaller batch or patch, or recompute activations (tenon::recompute)"
                                        : "use a smaller batch or patch, train.precision=bf16, or recompute activations (tenon::recompute)");
}

}  // namespace tenon
