/// The last of a kernel's blocks to be done adds up what all of them left: one launch in place of two (private).
#pragma once

#include <cstring>

#include "backend/cuda/launch.cuh"

namespace tenon::cuda {

/// Blocks that are done, one count for each group of blocks with results of its own. Kernels run one after another on one stream, so all of a source
/// share these; each count is 0 again when its kernel is done.
inline constexpr std::int64_t kTickets = 1024;
static __device__ unsigned tickets[kTickets];

/// Loads in a row by which a thread may add up what other blocks left; where there are more, a second launch with many blocks takes less time.
inline constexpr std::int64_t kMostTurns = 20;

/// True in all threads of the last block of a group of `blocks`; what the others wrote is to be read by load_left(). All threads of a block come here.
static __device__ bool is_last_block(std::int64_t group, unsigned blocks) {
  __shared__ bool last;
  __threadfence();  // what this thread wrote, before its block is counted
  __syncthreads();
  if (threadIdx.x == 0) last = atomicInc(&tickets[group], blocks - 1) == blocks - 1;
  __syncthreads();
  if (last) __threadfence();
  return last;
}

/// N values that another block left, 16 bytes or one value: past the cache of this multiprocessor.
template <class V, int N>
__device__ void load_left(const V* from, V (&to)[N]) {
  if constexpr (N == 1) {
    to[0] = __ldcg(from);
  } else {
    static_assert(N * sizeof(V) == sizeof(uint4));
    const uint4 words = __ldcg(reinterpret_cast<const uint4*>(from));
    memcpy(to, &words, sizeof words);
  }
}

/// This thread's share of the sum of what `blocks` left, one value each.
template <class V>
__device__ V share_of_left(const V* left, unsigned blocks) {
  V sum = V(0);
#pragma unroll 4
  for (unsigned i = threadIdx.x; i < blocks; i += blockDim.x) sum += __ldcg(left + i);
  return sum;
}

}  // namespace tenon::cuda
