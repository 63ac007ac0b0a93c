/// What trials of cuDNN's plans share: operands full of noise, a clock, and how far two results are apart (private).
#pragma once

#include <array>

#include "backend/cuda/device_memory.hpp"
#include "backend/cuda/launch.cuh"
#include "backend/cuda/library/plan_choice.hpp"
#include "ops/dispatch.hpp"

namespace tenon::cuda {

inline constexpr int kRuns = 3;
/// NMSE that results of 16 bits may be apart.
inline constexpr double kFarIn16Bits = 1e-3;

/// Numbers from 1 below `middle` to 1 above: zeros would flatter the clock rate.
template <class T>
__global__ void fill_noise(T* to, std::int64_t count, unsigned seed, float middle) {
  const std::int64_t pace = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += pace) {
    unsigned h = (unsigned(i) ^ seed) * 0x9e3779b1u;
    h = (h ^ (h >> 15)) * 0x85ebca6bu;
    h ^= h >> 13;
    to[i] = T(float(h >> 8) * (2.0f / 16777216.0f) - 1.0f + middle);
  }
}

/// Keeps the device busy while the host queues what is to be timed.
static __global__ void hold_device(long long cycles) {
  const long long start = clock64();
  while (clock64() - start < cycles) {
  }
}

inline constexpr int kDifferenceBlocks = 512;

/// sums [blocks, 2]: of (a - b)^2 and of b^2; places that neither wrote stay NaN in both and do not count.
template <class T>
__global__ void sum_differences(const T* a, const T* b, std::int64_t count, double* sums) {
  __shared__ double parts[2][256];
  double difference = 0, size = 0;
  const std::int64_t pace = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += pace) {
    const double x = double(float(a[i])), y = double(float(b[i]));
    if (x != x && y != y) continue;
    difference += (x - y) * (x - y);
    size += y * y;
  }
  parts[0][threadIdx.x] = difference;
  parts[1][threadIdx.x] = size;
  __syncthreads();
  if (threadIdx.x < 2) {
    double sum = 0;
    for (int i = 0; i < 256; ++i) sum += parts[threadIdx.x][i];
    sums[2 * blockIdx.x + threadIdx.x] = sum;
  }
}

/// Of an error that a candidate's trial ended with, while it is handled: the candidate is none. Where there was no memory nothing is known of it; then
/// the choice ends (choice_for), so that it is not remembered.
/// What is no error of the device is another op's, told late (faults.cuh), and the caller's to know.
inline void pass_over(const Error& error) {
  if (error.code() == "memory.exhausted" || error.kind() != ErrorKind::device) throw;
  forget_error();
}

/// Memory of a trial, in the order of the stream.
class Scratch {
 public:
  explicit Scratch(std::size_t bytes) : memory_(bytes) {}
  void* get() const { return memory_.as<>(); }
  std::size_t bytes() const { return memory_.bytes(); }
  /// NaN in each of these types: what is not written shows.
  void spoil() const { check(cudaMemsetAsync(get(), 0xff, bytes(), stream()), "cudaMemsetAsync"); }

 private:
  DeviceMemory memory_;
};

class Stopwatch {
 public:
  Stopwatch() {
    check(cudaEventCreate(&begin_), "cudaEventCreate");
    check(cudaEventCreate(&end_), "cudaEventCreate");
  }
  ~Stopwatch() {
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

  template <class F>
  double microseconds(F&& enqueue) {
    start("trial_hold", dim3(1), dim3(1), 0, hold_device, 300000ll);
    check(cudaEventRecord(begin_, stream()), "cudaEventRecord");
    for (int i = 0; i < kRuns; ++i) enqueue();
    check(cudaEventRecord(end_, stream()), "cudaEventRecord");
    check(cudaEventSynchronize(end_), "cudaEventSynchronize");
    float ms = 0;
    check(cudaEventElapsedTime(&ms, begin_, end_), "cudaEventElapsedTime");
    return double(ms) * 1000 / kRuns;
  }

 private:
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};

inline void noise(const Scratch& to, DType type, unsigned seed, float middle = 0) {
  const auto count = std::int64_t(to.bytes() / size_of(type));
  dispatch_floating("trial", type, [&](auto t) {
    using T = typename decltype(t)::type;
    if constexpr (sizeof(T) <= 4) start_items("trial_noise", count, fill_noise<T>, static_cast<T*>(to.get()), count, seed, middle);
  });
}

/// NMSE of a result; NaN, or more than any bound, where it was not all written.
inline double difference(const Scratch& result, const Scratch& wanted, DType type) {
  std::array<double, 2 * kDifferenceBlocks> sum{};
  const Scratch sums(sizeof sum);
  dispatch_floating("trial", type, [&](auto t) {
    using T = typename decltype(t)::type;
    if constexpr (sizeof(T) <= 4)
      start("trial_difference", dim3(kDifferenceBlocks), dim3(256), 0, sum_differences<T>, static_cast<const T*>(result.get()),
            static_cast<const T*>(wanted.get()), std::int64_t(wanted.bytes() / sizeof(T)), static_cast<double*>(sums.get()));
  });
  check(cudaMemcpyAsync(sum.data(), sums.get(), sizeof sum, cudaMemcpyDeviceToHost, stream()), "cudaMemcpyAsync");
  check(cudaStreamSynchronize(stream()), "cudaStreamSynchronize");
  double far = 0, size = 0;
  for (std::size_t i = 0; i < sum.size(); i += 2) far += sum[i], size += sum[i + 1];
  return size > 0 ? far / size : far;
}

}  // namespace tenon::cuda
