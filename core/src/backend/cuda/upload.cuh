/// Tables that a kernel prepares when it is made (private).
#pragma once

#include <memory>
#include <vector>

#include "backend/cuda/device_memory.hpp"

namespace tenon::cuda {

/// The values in device memory, for as long as the pointer is held. The copy is made in the order of the stream: not for use while a graph is recorded.
template <class T>
std::shared_ptr<const T> upload(const std::vector<T>& values) {
  const auto memory = DeviceMemory::holding(values.data(), values.size() * sizeof(T));
  return {memory, memory->template as<const T>()};
}

}  // namespace tenon::cuda
