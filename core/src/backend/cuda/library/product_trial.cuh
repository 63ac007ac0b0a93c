/// Trials of algorithms: memory, operands and a clock (private).
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "backend/cuda/device_memory.hpp"
#include "backend/cuda/launch.cuh"
#include "tenon/dtype.hpp"

namespace tenon::cuda::trial {

/// Numbers in [-1, 1) with all bits of a float in use.
template <class T>
__global__ void fill_trial(T* x, std::int64_t count, std::uint32_t seed) {
  std::int64_t step = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) {
    std::uint32_t h = std::uint32_t(i) * 2654435761u + seed;
    h = (h ^ (h >> 16)) * 0x7feb352du;
    h = (h ^ (h >> 15)) * 0x846ca68bu;
    h ^= h >> 16;
    x[i] = T(float(h >> 8) * (1.0f / 8388608.0f) - 1.0f);
  }
}

static __global__ void compare_bytes(const unsigned char* x, const unsigned char* y, std::int64_t bytes, int* differ) {
  std::int64_t step = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < bytes; i += step)
    if (x[i] != y[i]) *differ = 1;
}

inline void fill_operand(void* x, std::size_t bytes, DType type, std::uint32_t seed) {
  const auto count = std::int64_t(bytes / size_of(type));
  switch (type) {
    case DType::f64:
      return start_items("fill_trial", count, fill_trial<double>, static_cast<double*>(x), count, seed);
    case DType::bf16:
      return start_items("fill_trial", count, fill_trial<bf16>, static_cast<bf16*>(x), count, seed);
    case DType::f16:
      return start_items("fill_trial", count, fill_trial<f16>, static_cast<f16*>(x), count, seed);
    default:
      return start_items("fill_trial", count, fill_trial<float>, static_cast<float*>(x), count, seed);
  }
}

/// Whether two results differ in any bit; waits for them. `flag`: on the device.
inline bool differ(const void* x, const void* y, std::size_t bytes, int* flag) {
  int host = 0;
  check(cudaMemsetAsync(flag, 0, sizeof(int), stream()), "cudaMemsetAsync");
  start_items("compare_bytes", std::int64_t(bytes), compare_bytes, static_cast<const unsigned char*>(x),
              static_cast<const unsigned char*>(y), std::int64_t(bytes), flag);
  check(cudaMemcpyAsync(&host, flag, sizeof(int), cudaMemcpyDeviceToHost, stream()), "cudaMemcpyAsync");
  check(cudaStreamSynchronize(stream()), "cudaStreamSynchronize");
  return host != 0;
}

/// Device memory for a trial.
struct Memory {
  std::optional<DeviceMemory> held;
  void* data = nullptr;
  /// False where there is none to be had.
  bool take(std::size_t bytes) {
    try {
      data = held.emplace(std::max<std::size_t>(bytes, 1)).as<>();
      return true;
    } catch (const Error& e) {
      if (e.code() != "memory.exhausted") throw;
      return false;
    }
  }
};

struct Clock {
  cudaEvent_t begin = nullptr, end = nullptr;
  Clock() {
    check(cudaEventCreate(&begin), "cudaEventCreate");
    check(cudaEventCreate(&end), "cudaEventCreate");
  }
  ~Clock() {
    if (begin) cudaEventDestroy(begin);
    if (end) cudaEventDestroy(end);
  }
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
};

}  // namespace tenon::cuda::trial
