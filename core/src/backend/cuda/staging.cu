#include "backend/cuda/staging.hpp"

#include <algorithm>
#include <cstring>

#include "backend/cuda/check.cuh"

namespace tenon::cuda {

template <int N, std::size_t Bytes> void Staging::Ring<N, Bytes>::copy_in(void* to, const void* from, std::size_t bytes) {
  if (!memory) {
    check(cudaMallocHost(&memory, N * Bytes), "cudaMallocHost");
    for (cudaEvent_t& e : copied) check(cudaEventCreateWithFlags(&e, cudaEventDisableTiming), "cudaEventCreateWithFlags");
  }
  const auto slot = std::size_t(next);
  next = (next + 1) % N;
  check(cudaEventSynchronize(copied[slot]), "cudaEventSynchronize");  // at once where the event was never recorded
  void* stage = static_cast<std::byte*>(memory) + slot * Bytes;
  std::memcpy(stage, from, bytes);
  check(cudaMemcpyAsync(to, stage, bytes, cudaMemcpyHostToDevice, stream()), "cudaMemcpyAsync");
  check(cudaEventRecord(copied[slot], stream()), "cudaEventRecord");
}

void Staging::copy_in(void* to, const void* from, std::size_t bytes) {
  std::lock_guard lock(mutex_);
  if (bytes <= kSmall) {
    small_.copy_in(to, from, bytes);
    return;
  }
  for (std::size_t at = 0; at < bytes; at += kLarge)
    large_.copy_in(static_cast<std::byte*>(to) + at, static_cast<const std::byte*>(from) + at, std::min(kLarge, bytes - at));
}

}  // namespace tenon::cuda
