/// Device memory that belongs to a kernel rather than to a tensor: tables, workspaces of libraries, status words (private).
///
/// Taken when the kernel is made, as a rule, and given back in stream order when the last kernel that uses it is gone. Counted as workspace; where
/// there is none, caches are given up before that is told (memory.exhausted).
#pragma once

#include <cstddef>
#include <memory>

#include "tensor/memory.hpp"
#include "tenon/storage.hpp"

namespace tenon::cuda {

class DeviceMemory {
 public:
  explicit DeviceMemory(std::size_t bytes) : bytes_(bytes), data_(allocator(DeviceType::cuda).allocate(bytes, 0)) {
    count_memory(DeviceType::cuda, MemoryTag::workspace, bytes_);
  }
  ~DeviceMemory() {
    allocator(DeviceType::cuda).deallocate(data_, bytes_, 0);
    uncount_memory(DeviceType::cuda, MemoryTag::workspace, bytes_);
  }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  /// The host's memory has been read when this returns; the copy is made in the order of the stream.
  static std::shared_ptr<const DeviceMemory> holding(const void* host, std::size_t bytes) {
    auto m = std::make_shared<const DeviceMemory>(bytes);
    if (bytes > 0) allocator(DeviceType::cuda).copy(m->data_, {DeviceType::cuda, 0}, host, kCpu, bytes);
    return m;
  }
  std::size_t bytes() const { return bytes_; }
  template <class T = void>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  std::size_t bytes_;
  void* data_;
};

}  // namespace tenon::cuda
