/// Loops over strided operands on the device: the twin of backend/cpu/strided.hpp (private).
#pragma once

#include <type_traits>

#include "backend/cuda/launch.cuh"
#include "ops/strided_axes.hpp"
#include "tenon/kernel.hpp"

namespace tenon::cuda {

template <int N> struct Offsets {
  std::int64_t of[N];
};

/// Axes as a kernel argument: std::array members are not callable on the device.
template <int N> struct DeviceAxes {
  std::int64_t count;
  int rank;
  std::int64_t sizes[kMaxRank];
  std::int64_t strides[kMaxRank][N];

  explicit DeviceAxes(const StridedAxes<N>& a) : count(a.count), rank(a.rank) {
    for (int i = 0; i < kMaxRank; ++i) {
      sizes[i] = a.sizes[std::size_t(i)];
      for (int k = 0; k < N; ++k) strides[i][k] = a.strides[std::size_t(i)][std::size_t(k)];
    }
  }

  __device__ Offsets<N> offsets(std::int64_t i) const {
    Offsets<N> o{};
    for (int axis = rank - 1; axis >= 0; --axis) {
      std::int64_t at = axis ? i % sizes[axis] : i;
      i /= sizes[axis];
#pragma unroll
      for (int k = 0; k < N; ++k) o.of[k] += at * strides[axis][k];
    }
    return o;
  }
};

/// body(pointers, offsets) for every element; Body is a value with a __device__ call operator.
template <int N, class Body> __global__ void strided_kernel(DeviceAxes<N> axes, Body body) {
  std::int64_t step = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < axes.count; i += step) body(axes.offsets(i));
}

template <int N, class Body> void run_strided(const char* name, const DeviceAxes<N>& axes, Body body) {
  if (axes.count == 0) return;
  start_items(name, axes.count, strided_kernel<N, Body>, axes, body);
}

}  // namespace tenon::cuda
