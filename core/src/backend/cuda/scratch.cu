#include "backend/cuda/scratch.cuh"

#include <algorithm>
#include <mutex>

namespace tenon::cuda {

std::shared_ptr<const DeviceMemory> scratch(std::size_t bytes) {
  static std::mutex mutex;
  static auto& held = *new std::shared_ptr<const DeviceMemory>;  // never destroyed: kernels may outlive static objects
  std::lock_guard lock(mutex);
  // Kernels made before keep what they have: doubled, so that all of theirs together are no more than the last one; above 32 MiB as asked for.
  const std::size_t now = held ? held->bytes() : 0;
  if (held && bytes <= now) return held;
  if (held.use_count() == 1) held.reset();
  held = std::make_shared<const DeviceMemory>(std::max({bytes, now <= std::size_t(32) << 20 ? 2 * now : now, std::size_t(1) << 20}));
  return held;
}

}  // namespace tenon::cuda
