/// Tables that a kernel prepares when it is made (private).
#pragma once

#include <memory>
#include <vector>

#include "backend/cuda/check.cuh"

namespace tenon::cuda {

/// The values in device memory, for as long as the pointer is held. Waits for the copy: not for use within a launch.
template <class T>
std::shared_ptr<const T> upload(const std::vector<T>& values) {
  void* p = nullptr;
  const std::size_t bytes = values.size() * sizeof(T);
  check(cudaMalloc(&p, bytes ? bytes : 1), "cudaMalloc");
  std::shared_ptr<const T> table(static_cast<const T*>(p), [](const T* q) { (void)cudaFree(const_cast<T*>(q)); });
  check(cudaMemcpyAsync(p, values.data(), bytes, cudaMemcpyHostToDevice, stream()), "cudaMemcpyAsync");
  check(cudaStreamSynchronize(stream()), "cudaStreamSynchronize");
  return table;
}

}  // namespace tenon::cuda
