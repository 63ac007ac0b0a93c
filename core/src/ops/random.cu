#include "backend/cuda/install.hpp"
#include "backend/cuda/lanes.cuh"
#include "backend/cuda/launch.cuh"
#include "ops/random_kernels.hpp"
#include "tenon/random.hpp"

namespace tenon::cuda {
namespace {

constexpr int kTogether = 4;  ///< elements a thread, stored as one

struct UniformBody {
  float low, width, most;  ///< most: rounding may reach the upper end, which is not in the range
  __device__ float operator()(const Random& random, std::uint64_t i) const { return fminf(fmaf(width, random.uniform(i), low), most); }
};
struct NormalBody {
  float mean, deviation;
  __device__ float operator()(const Random& random, std::uint64_t i) const { return mean + deviation * random.normal(i); }
};

template <class Body>
__global__ void __launch_bounds__(kBlock)
    random_fill(std::uint64_t seed, std::uint64_t stream, Body body, float* y, std::int64_t count, bool aligned) {
  const Random random(seed, stream);
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = (std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * kTogether; i < count; i += threads * kTogether) {
    Lanes<float, kTogether> v;
#pragma unroll
    for (int k = 0; k < kTogether; ++k) v.of[k] = body(random, std::uint64_t(i + k));
    if (aligned && i + kTogether <= count) {
      *reinterpret_cast<Lanes<float, kTogether>*>(y + i) = v;
    } else {
#pragma unroll
      for (int k = 0; k < kTogether; ++k)
        if (i + k < count) y[i + k] = v.of[k];
    }
  }
}

template <class Body>
Kernel fill(const char* name, const RandomFill& p, const Body& body) {
  return [=](void* const* o) {
    start_items(name, (p.count + kTogether - 1) / kTogether, random_fill<Body>, p.seed, p.stream, body, static_cast<float*>(o[0]), p.count,
                is_aligned(o[0], 16));
  };
}

}  // namespace

void install_random() {
  random_uniform_kernel.set(DeviceType::cuda, [](const RandomFill& p) { return fill("random_uniform", p, UniformBody{p.a, p.b - p.a, largest_below(p)}); });
  random_normal_kernel.set(DeviceType::cuda, [](const RandomFill& p) { return fill("random_normal", p, NormalBody{p.a, p.b}); });
}

}  // namespace tenon::cuda
