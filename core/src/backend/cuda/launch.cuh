/// Starting kernels. Every kernel of this library is started through `start`: the same source then also runs on a CPU, one thread of a block
/// at a time, in the tests (tests/cuda_on_cpu), where there is no device.
#pragma once

#include "backend/cuda/check.cuh"

namespace tenon::cuda {

/// Most memory that a block has without asking for more.
inline constexpr std::size_t kPlainSharedBytes = 48 * 1024;

#if defined(TENON_CUDA_ON_CPU)

template <class... P, class... A>
void start(const char* name, dim3 blocks, dim3 threads, std::size_t shared_bytes, void (*kernel)(P...), A... args) {
  on_cpu::enqueue_grid(name, reinterpret_cast<const void*>(kernel), blocks, threads, shared_bytes, [=] { kernel(P(args)...); });
  check_launch(name);
}

/// The block's dynamic shared memory, 16-byte aligned.
template <class T> T* dynamic_shared() { return static_cast<T*>(on_cpu::block_memory()); }

#else

/// Raises what a kernel may have; it is never lowered again, for another thread's launch, or a graph that is not instantiated yet, may count on it.
void allow_shared_bytes(const char* name, const void* kernel, std::size_t bytes);

template <class... P, class... A>
void start(const char* name, dim3 blocks, dim3 threads, std::size_t shared_bytes, void (*kernel)(P...), A... args) {
  if (shared_bytes > kPlainSharedBytes) allow_shared_bytes(name, reinterpret_cast<const void*>(kernel), shared_bytes);
  kernel<<<blocks, threads, shared_bytes, stream()>>>(P(args)...);
  check_launch(name);
}

template <class T> __device__ T* dynamic_shared() {
  extern __shared__ __align__(16) unsigned char tenon_shared_bytes[];
  return reinterpret_cast<T*>(tenon_shared_bytes);
}

#endif

/// One thread an item, in a loop over the grid.
template <class... P, class... A> void start_items(const char* name, std::int64_t items, void (*kernel)(P...), A... args) {
  if (items > 0) start(name, dim3(grid_for(items)), dim3(kBlock), 0, kernel, args...);
}

}  // namespace tenon::cuda
