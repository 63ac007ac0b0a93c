/// Sums over a warp and over a block, in one fixed order: the same bits every time.
#pragma once

#include "backend/cuda/launch.cuh"

namespace tenon::cuda {

inline constexpr int kWarp = 32;
inline constexpr unsigned kAllLanes = 0xffffffffu;

/// The sum over the 32 lanes, in every one of them.
template <class T> __device__ T warp_sum(T v) {
#pragma unroll
  for (int step = kWarp / 2; step > 0; step /= 2) v += __shfl_xor_sync(kAllLanes, v, step);
  return v;
}

/// The sum over a block, in every thread. The block is one-dimensional, a multiple of 32 threads, and all of them call.
template <class T> __device__ T block_sum(T v) {
  __shared__ T of_warp[32];
  const int lane = int(threadIdx.x) % kWarp, warp = int(threadIdx.x) / kWarp, warps = int(blockDim.x) / kWarp;
  v = warp_sum(v);
  __syncthreads();  // whoever read the sums of a call before is done
  if (lane == 0) of_warp[warp] = v;
  __syncthreads();
  T sum = of_warp[0];
  for (int w = 1; w < warps; ++w) sum += of_warp[w];
  return sum;
}

}  // namespace tenon::cuda
