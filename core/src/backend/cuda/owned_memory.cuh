/// Device memory that belongs to a kernel rather than to a tensor: tables, and workspaces that no operand gives (private).
#pragma once

#include <memory>

#include "backend/cuda/check.cuh"

namespace tenon::cuda {

/// Taken when the kernel is made, given back in the order of the stream.
inline std::shared_ptr<void> device_memory(std::size_t bytes) {
  void* memory = nullptr;
  check(cudaMallocAsync(&memory, bytes ? bytes : 1, stream()), "cudaMallocAsync");
  return {memory, [](void* p) { cudaFreeAsync(p, stream()); }};
}

/// A copy of host memory, there when this returns.
inline std::shared_ptr<void> device_copy(const void* from, std::size_t bytes) {
  std::shared_ptr<void> memory = device_memory(bytes);
  if (bytes > 0) check(cudaMemcpyAsync(memory.get(), from, bytes, cudaMemcpyDefault, stream()), "cudaMemcpyAsync");
  check(cudaStreamSynchronize(stream()), "cudaStreamSynchronize");
  return memory;
}

}  // namespace tenon::cuda
