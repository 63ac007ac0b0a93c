/// Memory that a kernel needs for itself while it runs (private).
#pragma once

#include "backend/cuda/device_memory.hpp"

namespace tenon::cuda {

/// At least `bytes`, aligned to 256. All kernels share it, since they run one after another on one stream: what one leaves there, the next
/// overwrites. To be asked for when a kernel is made, and held by it.
std::shared_ptr<const DeviceMemory> scratch(std::size_t bytes);

}  // namespace tenon::cuda
