#include "backend/cuda/launch.cuh"
#include "backend/cuda/install.hpp"
#include "kernels/elementwise.hpp"
#include "ops/dispatch.hpp"
#include "ops/reduce_kernels.hpp"

namespace tenon::cuda {
namespace {

template <class T> using Partial = std::conditional_t<std::is_integral_v<kernels::Computed<T>>, std::int64_t, double>;

/// One thread a (run, inner) column, adding in order: the same order for any launch, so the same bits every time.
template <class T> __global__ void sum_runs(const T* x, Partial<T>* partial, ReduceShape s, std::int64_t runs) {
  std::int64_t total = s.outer * runs * s.inner, step = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < total; i += step) {
    std::int64_t inner = i % s.inner, task = i / s.inner, o = task / runs, begin = (task % runs) * kSumRun;
    std::int64_t end = begin + kSumRun < s.reduced ? begin + kSumRun : s.reduced;
    const T* column = x + o * s.reduced * s.inner + inner;
    Partial<T> acc = 0;
    for (std::int64_t r = begin; r < end; ++r) acc += Partial<T>(kernels::Computed<T>(column[r * s.inner]));
    partial[i] = acc;
  }
}

template <class T> __global__ void add_runs(const Partial<T>* partial, T* out, ReduceShape s, std::int64_t runs) {
  std::int64_t total = s.outer * s.inner, step = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < total; i += step) {
    std::int64_t o = i / s.inner, inner = i % s.inner;
    Partial<T> acc = 0;
    for (std::int64_t r = 0; r < runs; ++r) acc += partial[(o * runs + r) * s.inner + inner];
    out[i] = T(kernels::Computed<T>(acc));
  }
}

/// One thread a row: the first extreme wins, and so does the first NaN.
template <class T, bool Max> __global__ void extreme_rows(const T* x, T* values, std::int64_t* positions, std::int64_t rows, std::int64_t n) {
  using C = kernels::Computed<T>;
  std::int64_t step = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t r = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; r < rows; r += step) {
    const T* row = x + r * n;
    std::int64_t best = 0;
    for (std::int64_t i = 1; i < n; ++i) {
      C v = C(row[i]), b = C(row[best]);
      if ((Max ? v > b : v < b) || (v != v && b == b)) best = i;
    }
    values[r] = row[best];
    positions[r] = best;
  }
}

Kernel make_sum(ReduceShape s, DType dtype) {
  return dispatch_all(dtype, [&](auto t) -> Kernel {
    using T = typename decltype(t)::type;
    return [s](void* const* p) {
      const std::int64_t runs = s.runs();
      if (s.outer * s.inner == 0) return;
      start_items("sum_runs", s.outer * runs * s.inner, sum_runs<T>, static_cast<const T*>(p[0]), static_cast<Partial<T>*>(p[1]), s, runs);
      start_items("add_runs", s.outer * s.inner, add_runs<T>, static_cast<const Partial<T>*>(p[1]), static_cast<T*>(p[2]), s, runs);
    };
  });
}

Kernel make_extreme(Extreme which, std::int64_t rows, std::int64_t n, DType dtype) {
  return dispatch_all(dtype, [&](auto t) -> Kernel {
    using T = typename decltype(t)::type;
    return [=](void* const* p) {
      if (rows == 0) return;
      auto kernel = which == Extreme::max ? extreme_rows<T, true> : extreme_rows<T, false>;
      start_items("extreme_rows", rows, kernel, static_cast<const T*>(p[0]), static_cast<T*>(p[1]), static_cast<std::int64_t*>(p[2]), rows, n);
    };
  });
}

}  // namespace

void install_reduce() {
  sum_kernel.set(DeviceType::cuda, make_sum);
  extreme_kernel.set(DeviceType::cuda, make_extreme);
}

}  // namespace tenon::cuda
