/// Copies from ordinary host memory to the device that do not wait for the device: the bytes go through a ring of pinned memory (private).
#pragma once

#include <cuda_runtime.h>

#include <array>
#include <cstddef>
#include <mutex>

namespace tenon::cuda {

/// Slots are taken in turn; one is written again when the copy that left it is done. Thread-safe.
class Staging {
 public:
  /// Enqueues the copy; `from` may be changed as soon as this returns.
  void copy_in(void* to, const void* from, std::size_t bytes);

 private:
  static constexpr std::size_t kSmall = 64 << 10, kLarge = 4 << 20;
  template <int N, std::size_t Bytes> struct Ring {
    void* memory = nullptr;
    std::array<cudaEvent_t, N> copied{};
    int next = 0;
    void copy_in(void* to, const void* from, std::size_t bytes);
  };
  std::mutex mutex_;
  Ring<64, kSmall> small_;
  Ring<4, kLarge> large_;
};

}  // namespace tenon::cuda
