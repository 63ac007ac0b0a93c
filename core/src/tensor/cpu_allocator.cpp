#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#include "tensor/memory.hpp"
#include "tensor/recorder.hpp"
#include "tenon/error.hpp"
#include "tenon/storage.hpp"

namespace tenon {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kHuge = std::size_t(2) << 20;  ///< from here on ask for huge pages
constexpr std::size_t kCacheLimit = std::size_t(256) << 20;

/// Freed blocks are kept by exact (rounded) size, up to kCacheLimit in all.
class CpuAllocator final : public Allocator {
 public:
  ~CpuAllocator() override { trim(); }

  void* allocate(std::size_t bytes, int) override {
    std::size_t size = rounded(bytes);
    std::lock_guard lock(mutex_);
    ++stats_.allocations;
    void* p = nullptr;
    if (auto it = free_.find(size); it != free_.end() && !it->second.empty()) {
      p = it->second.back();
      it->second.pop_back();
      stats_.cached -= size;
    } else {
      const std::size_t alignment = size >= kHuge ? kHuge : kAlignment;
      p = std::aligned_alloc(alignment, size);
      if (!p && stats_.cached) {
        release_cached();
        p = std::aligned_alloc(alignment, size);
      }
      if (!p)
        throw_out_of_memory(DeviceType::cpu, bytes, stats_.in_use);
      if (size >= kHuge) madvise(p, size, MADV_HUGEPAGE);
    }
    stats_.in_use += size;
    if (stats_.in_use > stats_.peak) stats_.peak = stats_.in_use;
    return p;
  }

  void deallocate(void* data, std::size_t bytes, int) override {
    std::size_t size = rounded(bytes);
    std::lock_guard lock(mutex_);
    stats_.in_use -= size;
    if (stats_.cached + size > kCacheLimit) {
      std::free(data);
      return;
    }
    free_[size].push_back(data);
    stats_.cached += size;
  }

  void copy(void* to, Device, const void* from, Device, std::size_t bytes) override { std::memcpy(to, from, bytes); }

  void trim() override {
    std::lock_guard lock(mutex_);
    release_cached();
  }

  Stats stats() const override {
    std::lock_guard lock(mutex_);
    return stats_;
  }

 private:
  void release_cached() {
    for (auto& [size, blocks] : free_)
      for (void* p : blocks) std::free(p);
    free_.clear();
    stats_.cached = 0;
  }

  static std::size_t rounded(std::size_t bytes) {
    std::size_t unit = bytes >= kHuge ? kHuge : kAlignment;
    return bytes == 0 ? kAlignment : (bytes + unit - 1) / unit * unit;
  }

  mutable std::mutex mutex_;
  std::map<std::size_t, std::vector<void*>> free_;
  Stats stats_;
};

}  // namespace

std::unique_ptr<Allocator> make_cpu_allocator() { return std::make_unique<CpuAllocator>(); }

}  // namespace tenon
