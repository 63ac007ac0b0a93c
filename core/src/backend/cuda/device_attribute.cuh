/// What the device in use is like, and what it is asked for (private).
#pragma once

#include "backend/cuda/check.cuh"

namespace tenon::cuda {

inline int device_attribute(cudaDeviceAttr what) {
  int device = 0, value = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  check(cudaDeviceGetAttribute(&value, what, device), "cudaDeviceGetAttribute");
  return value;
}

/// Asks for as much first-level cache as there is where this kernel runs, which has no shared memory of its own: a launch else keeps what the kernel before it wanted.
template <class... P>
void prefer_first_level_cache([[maybe_unused]] void (*kernel)(P...)) {
#if !defined(TENON_CUDA_ON_CPU)
  check(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributePreferredSharedMemoryCarveout, cudaSharedmemCarveoutMaxL1), "cudaFuncSetAttribute");
#endif
}

}  // namespace tenon::cuda
