/// The buffer behind tensors. Plugin authors rarely need this header.
///
/// Storage is reference counted and knows its device. Inside a recorded step (plan.hpp) a new storage has
/// no memory yet: `data()` is null until the plan binds it, to its arena or, if someone still holds it when
/// the recording ends, to memory of its own.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "tenon/device.hpp"
#include "tenon/export.hpp"
#include "tenon/memory.hpp"

namespace tenon {

class TENON_API Storage {
 public:
  Storage(std::size_t bytes, Device device);
  /// Memory of someone else's; `release` runs at the end.
  Storage(void* data, std::size_t bytes, std::function<void()> release, Device device = kCpu);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const noexcept { return data_; }
  std::size_t bytes() const noexcept { return bytes_; }
  Device device() const noexcept { return device_; }
  std::uint64_t id() const noexcept { return id_; }  ///< unique in the process
  MemoryTag tag() const noexcept { return tag_; }
  void materialise();                                ///< gives a memoryless storage its own memory

  /// When the buffer was last written by a launch, a copy from the host or a replayed step, on the clock that numbers autograd's history;
  /// 0: never. Writes through a raw pointer, or through another storage over the same memory, are not seen.
  std::uint64_t written() const noexcept { return written_.load(std::memory_order_relaxed); }
  const char* writer() const noexcept { return writer_.load(std::memory_order_relaxed); }  ///< what wrote it then
  void note_write(const char* by) noexcept;  ///< `by` is static text
  /// True for a result of a recorded step that has not run yet: there is memory, but no values.
  bool awaits_run() const noexcept { return awaits_run_; }
  void set_awaits_run(bool on) noexcept { awaits_run_ = on; }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
  Device device_;
  std::uint64_t id_;
  bool traced_ = false, awaits_run_ = false;
  MemoryTag tag_ = MemoryTag::other;
  std::function<void()> release_;
  std::atomic<std::uint64_t> written_{0};
  std::atomic<const char*> writer_{""};
};

/// Allocation behind tensors, one a device type. The CPU's keeps freed blocks for reuse; blocks are 64-byte
/// aligned and not cleared. Thread-safe.
class TENON_API Allocator {
 public:
  virtual ~Allocator();
  virtual void* allocate(std::size_t bytes, int device_index) = 0;
  virtual void deallocate(void* data, std::size_t bytes, int device_index) = 0;
  virtual void copy(void* to, Device to_device, const void* from, Device from_device, std::size_t bytes) = 0;
  virtual void trim() = 0;  ///< gives cached blocks back to the system
  struct Stats {
    std::size_t in_use = 0, peak = 0, cached = 0;
    std::uint64_t allocations = 0;  ///< calls of allocate so far
  };
  virtual Stats stats() const = 0;
};
TENON_API Allocator& allocator(DeviceType type);  ///< throws a device error when the backend is not there
/// Installed once by a backend library when it loads.
TENON_API void set_allocator(DeviceType type, std::unique_ptr<Allocator> a);

}  // namespace tenon
