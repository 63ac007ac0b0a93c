/// Mean squared error on the device.
#include "backend/cuda/columns.cuh"
#include "backend/cuda/install.hpp"
#include "backend/cuda/last_block.cuh"
#include "ops/dispatch.hpp"
#include "ops/loss_kernels.hpp"

namespace tenon::cuda {
namespace {

/// partial: the sum of one chunk's squares, a block each; the last block adds them up.
template <class T, int N>
__global__ void squared_error_sums(const T* x, const T* y, std::int64_t count, double* partial, Acc<T>* loss) {
  using A = Acc<T>;
  __shared__ double shared[kBlock];
  const std::int64_t begin = std::int64_t(blockIdx.x) * SquaredError::kChunk, left = count - begin;
  const int n = int(left < SquaredError::kChunk ? left : SquaredError::kChunk), whole = n / N * N;
  x += begin;
  y += begin;
  A sum[N];
#pragma unroll
  for (int i = 0; i < N; ++i) sum[i] = A(0);
#pragma unroll 4
  for (int at = int(threadIdx.x) * N; at < whole; at += kBlock * N) {
    A a[N], b[N];
    load_lanes<T, N>(x + at, a);
    load_lanes<T, N>(y + at, b);
#pragma unroll
    for (int i = 0; i < N; ++i) sum[i] += (a[i] - b[i]) * (a[i] - b[i]);
  }
  if (whole + int(threadIdx.x) < n) {  // fewer than N are left
    const A d = widen<T>(x[whole + int(threadIdx.x)]) - widen<T>(y[whole + int(threadIdx.x)]);
    sum[0] += d * d;
  }
  double total[1] = {0};
#pragma unroll
  for (int i = 0; i < N; ++i) total[0] += double(sum[i]);
  sum_tile_rows<double, 1>(total, shared, 1, kBlock);
  if (threadIdx.x == 0) partial[blockIdx.x] = total[0];
  if (!is_last_block(0, gridDim.x)) return;
  total[0] = share_of_left(partial, gridDim.x);
  sum_tile_rows<double, 1>(total, shared, 1, kBlock);
  if (threadIdx.x == 0) *loss = A(total[0] / double(count));
}

template <class T, int N>
__global__ void scaled_difference(const T* x, const T* y, const Acc<T>* d_loss, std::int64_t count, T* dx) {
  using A = Acc<T>;
  const A factor = A(double(*d_loss) * 2 / double(count));
  const std::int64_t first = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x, step = std::int64_t(gridDim.x) * blockDim.x,
                     packs = count / N;
  for (std::int64_t pack = first; pack < packs; pack += step) {
    A a[N], b[N];
    load_lanes<T, N>(x + pack * N, a);
    load_lanes<T, N>(y + pack * N, b);
#pragma unroll
    for (int i = 0; i < N; ++i) a[i] = (a[i] - b[i]) * factor;
    store_lanes<T, N>(dx + pack * N, a);
  }
  if (first < count - packs * N) {
    const std::int64_t at = packs * N + first;
    dx[at] = narrow<T>((widen<T>(x[at]) - widen<T>(y[at])) * factor);
  }
}

template <class T>
Kernel forward(const SquaredError& p) {
  using A = Acc<T>;
  return [p](void* const* o) {
    const T *x = static_cast<const T*>(o[0]), *y = static_cast<const T*>(o[1]);
    double* partial = static_cast<double*>(o[2]);
    by_lanes<T>(kLanes<T>, {x, y}, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      start("squared_error_sums", dim3(grid_blocks(p.chunks())), dim3(kBlock), 0, squared_error_sums<T, N>, x, y, p.count, partial, static_cast<A*>(o[3]));
    });
  };
}

template <class T>
Kernel gradient(const SquaredError& p) {
  using A = Acc<T>;
  return [p](void* const* o) {
    const T *x = static_cast<const T*>(o[0]), *y = static_cast<const T*>(o[1]);
    T* dx = static_cast<T*>(o[3]);
    by_lanes<T>(kLanes<T>, {x, y, dx}, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      start_items("scaled_difference", (p.count + N - 1) / N, scaled_difference<T, N>, x, y, static_cast<const A*>(o[2]), p.count, dx);
    });
  };
}

}  // namespace

void install_mse() {
  mse_kernel.set(DeviceType::cuda, [](const SquaredError& p) -> Kernel {
    return dispatch_floating("mse_loss", p.dtype, [&](auto tag) -> Kernel { return forward<typename decltype(tag)::type>(p); });
  });
  mse_gradient_kernel.set(DeviceType::cuda, [](const SquaredError& p) -> Kernel {
    return dispatch_floating("mse_loss", p.dtype, [&](auto tag) -> Kernel { return gradient<typename decltype(tag)::type>(p); });
  });
}

}  // namespace tenon::cuda
