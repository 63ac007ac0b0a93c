/// One pass of one convolution, tried out: on operands of its own, against what this library's kernels make of them (private).
#pragma once

#include <algorithm>
#include <array>

#include "backend/cuda/conv_own.hpp"
#include "backend/cuda/launch.cuh"
#include "backend/cuda/library/conv_tune.hpp"
#include "ops/dispatch.hpp"

namespace tenon::cuda {

constexpr int kRuns = 3;

/// Numbers in [-1, 1): zeros would flatter the clock rate.
template <class T>
__global__ void fill_noise(T* to, std::int64_t count, unsigned seed) {
  const std::int64_t pace = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += pace) {
    unsigned h = (unsigned(i) ^ seed) * 0x9e3779b1u;
    h = (h ^ (h >> 15)) * 0x85ebca6bu;
    h ^= h >> 13;
    to[i] = T(float(h >> 8) * (2.0f / 16777216.0f) - 1.0f);
  }
}

/// Keeps the device busy while the host queues what is to be timed.
__global__ void hold_device(long long cycles) {
  const long long start = clock64();
  while (clock64() - start < cycles) {
  }
}

/// sums[0] += (a - b)^2, sums[1] += b^2.
template <class T>
__global__ void sum_differences(const T* a, const T* b, std::int64_t count, double* sums) {
  __shared__ double parts[2][256];
  double difference = 0, size = 0;
  const std::int64_t pace = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += pace) {
    const double x = double(float(a[i])), y = double(float(b[i]));
    difference += (x - y) * (x - y);
    size += y * y;
  }
  parts[0][threadIdx.x] = difference;
  parts[1][threadIdx.x] = size;
  __syncthreads();
  if (threadIdx.x < 2) {
    double sum = 0;
    for (int i = 0; i < 256; ++i) sum += parts[threadIdx.x][i];
    atomicAdd(sums + threadIdx.x, sum);
  }
}

class Scratch {
 public:
  explicit Scratch(std::size_t bytes) { check(cudaMallocAsync(&data_, bytes ? bytes : 16, stream()), "cudaMallocAsync"); }
  ~Scratch() { cudaFreeAsync(data_, stream()); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  void* get() const { return data_; }

 private:
  void* data_ = nullptr;
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
    start("conv_hold", dim3(1), dim3(1), 0, hold_device, 300000ll);
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

/// One pass of one geometry on operands of its own, and what this library's kernels make of them.
class Trial {
 public:
  Trial(const ConvGeometry& g, ConvPass pass, bool bias, bool tf32)
      : g_(g),
        pass_(pass),
        half_(size_of(g.dtype) == 2),
        weight_pass_(pass == ConvPass::weight_gradient),
        x_(g.batch * g.in_voxels() * g.in_channels),
        y_(g.batch * g.out_voxels() * g.out_channels),
        results_(weight_pass_                ? g.weights()
                 : pass == ConvPass::forward ? y_
                                             : x_),
        result_type_(weight_pass_ ? DType::f32 : g.dtype),
        first_(std::size_t(pass == ConvPass::input_gradient ? y_ : x_) * size_of(g.dtype)),
        second_(weight_pass_ ? std::size_t(y_) * size_of(g.dtype) : std::size_t(g.weights()) * 4),
        bias_(std::size_t(std::max(g.in_channels, g.out_channels)) * 4),
        wanted_(std::size_t(results_) * size_of(result_type_)),
        result_(std::size_t(results_) * size_of(result_type_)),
        own_workspace_(own_conv_buffers(g, pass, ConvSums::none).workspace),
        sums_(16),
        own_(weight_pass_ ? own_conv_weights(g, ConvSums::none) : own_conv(g, pass, bias)),
        with_bias_(bias),
        tf32_(tf32) {
    noise(first_, g.dtype, pass == ConvPass::input_gradient ? y_ : x_, 1);
    noise(second_, weight_pass_ ? g.dtype : DType::f32, weight_pass_ ? y_ : g.weights(), 2);
    noise(bias_, DType::f32, std::max(g.in_channels, g.out_channels), 3);
    run_own();
  }

  double own_microseconds() {
    return watch_.microseconds([&] { run_own(); });
  }

  /// Negative where the candidate fails or does not compute the same.
  double microseconds(const ConvChoice& c) {
    Scratch workspace(conv_choice_workspace(c, g_, pass_));
    const bool packing = half_ && !weight_pass_;
    Scratch packed(packing ? conv_choice_weights(c, g_) : 0);
    if (packing) pack_conv_choice(c, g_, second_.get(), packed.get());
    auto enqueue = [&] {
      run_conv_choice(c, g_, pass_, first_.get(), packing ? packed.get() : second_.get(),
                      with_bias_ ? bias_.get() : nullptr, result_.get(), workspace.get());
    };
    try {
      check(cudaMemsetAsync(result_.get(), 0xff, std::size_t(results_) * size_of(result_type_), stream()),
            "cudaMemsetAsync");  // NaN where nothing is written
      enqueue();
      const double far = half_ ? 1e-3 : tf32_ ? 1e-5 : 1e-9;
      if (!(difference() <= far)) return -1;
      return watch_.microseconds(enqueue);
    } catch (const Error&) {
      (void)cudaGetLastError();
      return -1;
    }
  }

 private:
  static void noise(const Scratch& to, DType type, std::int64_t count, unsigned seed) {
    dispatch_floating("conv", type, [&](auto t) {
      using T = typename decltype(t)::type;
      if constexpr (sizeof(T) <= 4) start_items("conv_noise", count, fill_noise<T>, static_cast<T*>(to.get()), count, seed);
    });
  }

  void run_own() {
    std::array<void*, 5> p{first_.get(), second_.get()};
    std::size_t at = 2;
    if (with_bias_) p[at++] = bias_.get();
    p[at++] = wanted_.get();
    p[at] = own_workspace_.get();
    own_(p.data());
  }

  double difference() {
    check(cudaMemsetAsync(sums_.get(), 0, 16, stream()), "cudaMemsetAsync");
    dispatch_floating("conv", result_type_, [&](auto t) {
      using T = typename decltype(t)::type;
      if constexpr (sizeof(T) <= 4)
        start("conv_difference", dim3(512), dim3(256), 0, sum_differences<T>, static_cast<const T*>(result_.get()),
              static_cast<const T*>(wanted_.get()), results_, static_cast<double*>(sums_.get()));
    });
    double sums[2] = {0, 0};
    check(cudaMemcpyAsync(sums, sums_.get(), 16, cudaMemcpyDeviceToHost, stream()), "cudaMemcpyAsync");
    check(cudaStreamSynchronize(stream()), "cudaStreamSynchronize");
    return sums[1] > 0 ? sums[0] / sums[1] : sums[0];
  }

  ConvGeometry g_;
  ConvPass pass_;
  bool half_, weight_pass_;
  std::int64_t x_, y_, results_;
  DType result_type_;
  Scratch first_, second_, bias_, wanted_, result_, own_workspace_, sums_;
  Kernel own_;
  bool with_bias_, tf32_;
  Stopwatch watch_;
};

}  // namespace tenon::cuda
