#include "tenon/plan_cache.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "tenon/error.hpp"
#include "tenon/memory.hpp"

namespace tenon {
namespace {

PlanCache::Entry record(const PlanCache::Key& key, Device device, const PlanCache::Step& step) {
  PlanCache::Entry entry{key, device, {}, {}, {}};
  DeviceScope on(device);
  {
    MemoryScope tag(MemoryTag::data);
    for (const PlanCache::Input& i : key) entry.inputs.push_back(Tensor::empty(i.shape, i.dtype, device));
  }
  MemoryScope tag(MemoryTag::other);  // the caller's would count the arena as its own
  entry.plan = StepPlan::record([&] { entry.outputs = step(entry.inputs); });
  return entry;
}

}  // namespace

PlanCache::PlanCache(std::size_t capacity) : capacity_(capacity) {
  if (capacity < 1) throw_usage("PlanCache", "a capacity of 0 plans", "keep at least one");
}

PlanCache::Entry& PlanCache::get(const Key& key, Device device, const Step& step) {
  const auto known = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.device == device && e.key == key; });
  if (known != entries_.end()) {
    entries_.splice(entries_.begin(), entries_, known);
    return entries_.front();
  }
  if (is_recording()) throw_usage("PlanCache::get", "a step is being recorded on this thread, and a plan cannot be part of another");
  while (entries_.size() >= capacity_) entries_.pop_back();  // before the new one takes its memory
  std::optional<Entry> made;
  try {
    made = record(key, device, step);
  } catch (const Error& e) {
    if (e.code() != "memory.exhausted" || entries_.empty()) throw;
  }
  if (!made) {
    entries_.clear();
    made = record(key, device, step);
  }
  ++recorded_;
  entries_.push_front(std::move(*made));
  return entries_.front();
}

}  // namespace tenon
