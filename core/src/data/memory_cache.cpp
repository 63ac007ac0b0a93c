#include "tenon/data/cache.hpp"
#include "tenon/error.hpp"
#include "tenon/storage.hpp"

namespace tenon::data {

MemoryCache::MemoryCache(DatasetPtr base, std::uint64_t budget_bytes, CachePolicy policy)
    : base_(std::move(base)), budget_(budget_bytes), policy_(policy) {
  if (!base_) throw_usage("MemoryCache", "no data set given");
}

Sample MemoryCache::read(std::int64_t index) const {
  {
    std::lock_guard lock(mutex_);
    if (auto found = entries_.find(index); found != entries_.end()) {
      ++stats_.hits;
      used_.splice(used_.begin(), used_, found->second.place);
      return found->second.sample;
    }
    ++stats_.misses;
  }
  Sample sample = base_->get(index);
  keep(index, sample);
  return sample;
}

void MemoryCache::keep(std::int64_t index, const Sample& sample) const {
  const std::uint64_t bytes = sample.nbytes();
  if (bytes > budget_) return;
  Sample own;
  for (const auto& [name, tensor] : sample.items()) {
    const Tensor plain = tensor.detach();
    // a view would keep the whole of what it looks into
    own.set(name, plain.defined() && plain.storage()->bytes() != plain.nbytes() ? plain.clone() : plain);
  }
  std::lock_guard lock(mutex_);
  if (entries_.count(index)) return;  // another thread was faster
  if (policy_ == CachePolicy::first_come && stats_.bytes + bytes > budget_) return;
  while (stats_.bytes + bytes > budget_) {
    const auto oldest = entries_.find(used_.back());
    stats_.bytes -= oldest->second.bytes;
    ++stats_.evicted;
    entries_.erase(oldest);
    used_.pop_back();
  }
  used_.push_front(index);
  entries_[index] = {std::move(own), bytes, used_.begin()};
  stats_.bytes += bytes;
}

CacheStats MemoryCache::stats() const {
  std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace tenon::data
