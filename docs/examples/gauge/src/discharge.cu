#include <cuda_runtime.h>

#include "discharge.hpp"

namespace gauge_plugin {
namespace {

__global__ void discharge_kernel(const float* __restrict__ x, float* __restrict__ y, std::int64_t n) {
  const std::int64_t stride = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += stride) y[i] = discharge_of(x[i]);
}

}  // namespace

void enqueue_discharge(const float* x, float* y, std::int64_t n, void* stream) {
  if (n == 0) return;
  const std::int64_t blocks = (n + 255) / 256;
  discharge_kernel<<<static_cast<unsigned>(blocks < 4096 ? blocks : 4096), 256, 0, static_cast<cudaStream_t>(stream)>>>(x, y, n);
}

}  // namespace gauge_plugin
