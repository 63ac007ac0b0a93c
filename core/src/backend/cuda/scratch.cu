#include "backend/cuda/scratch.cuh"

#include <algorithm>
#include <mutex>

namespace tenon::cuda {

std::shared_ptr<const DeviceMemory> scratch(std::size_t bytes) {
  static std::mutex mutex;
  static auto& held = *new std::shared_ptr<const DeviceMemory>;  // never destroyed: kernels may outlive static objects
  std::lock_guard lock(mutex);
  // Kernels made before keep what they have. Doubled while it is small, so that it grows a few times only; in steps of 4 MiB then.
  constexpr std::size_t kSmall = std::size_t(8) << 20, kStep = std::size_t(4) << 20;
  const std::size_t now = held ? held->bytes() : 0;
  if (!held || bytes > now) held = std::make_shared<const DeviceMemory>(bytes > kSmall ? (bytes + kStep - 1) / kStep * kStep : std::max({bytes, 2 * now, std::size_t(1) << 20}));
  return held;
}

}  // namespace tenon::cuda
