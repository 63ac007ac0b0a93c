/// The arithmetic of one value, for both compilers.
#pragma once

#include <cmath>
#include <cstdint>

#ifdef __CUDACC__
#define GAUGE_BOTH __host__ __device__
#else
#define GAUGE_BOTH
#endif

namespace gauge_plugin {

GAUGE_BOTH inline float discharge_of(float x) {
  return x > 0 ? x * cbrtf(x * x) : 0.0f;
}

/// `stream` is a cudaStream_t. Defined in src/discharge.cu.
void enqueue_discharge(const float* x, float* y, std::int64_t n, void* stream);

}  // namespace gauge_plugin
