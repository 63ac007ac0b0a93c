#include "backend/cuda/scratch.cuh"

#include <algorithm>
#include <mutex>

namespace tenon::cuda {

std::shared_ptr<const DeviceMemory> scratch(std::size_t bytes) {
  static std::mutex mutex;
  static auto& held = *new std::shared_ptr<const DeviceMemory>;  // never destroyed: kernels may outlive static objects
  std::lock_guard lock(mutex);
  // at least doubled, so that it grows a few times only; kernels made before keep what they have
  if (!held || bytes > held->bytes()) held = std::make_shared<const DeviceMemory>(std::max({bytes, held ? 2 * held->bytes() : 0, std::size_t(1) << 20}));
  return held;
}

}  // namespace tenon::cuda
