#include "backend/cuda/scratch.cuh"

#include <algorithm>
#include <mutex>

#include "backend/cuda/check.cuh"

namespace tenon::cuda {

std::shared_ptr<void> scratch(std::size_t bytes) {
  static std::mutex mutex;
  static std::shared_ptr<void> held;
  static std::size_t size = 0;
  std::lock_guard lock(mutex);
  if (bytes > size || !held) {
    // at least doubled, so that it grows a few times only; kernels made before keep what they have
    const std::size_t wanted = std::max({bytes, 2 * size, std::size_t(1) << 20});
    void* p = nullptr;
    check(cudaMalloc(&p, wanted), "cudaMalloc");
    held = std::shared_ptr<void>(p, [](void* q) { (void)cudaFree(q); });
    size = wanted;
  }
  return held;
}

}  // namespace tenon::cuda
