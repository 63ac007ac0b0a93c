/// A constant table on the device, made when a kernel is prepared.
#pragma once

#include <memory>
#include <vector>

#include "backend/cuda/check.cuh"

namespace tenon::cuda {

template <class T> class DeviceTable {
 public:
  DeviceTable() = default;
  /// Copies `values`; waits until they are there. Not while a graph is being captured.
  explicit DeviceTable(const std::vector<T>& values) : size_(values.size()) {
    if (values.empty()) return;
    void* p = nullptr;
    check(cudaMalloc(&p, values.size() * sizeof(T)), "cudaMalloc");
    data_ = std::shared_ptr<T>(static_cast<T*>(p), [](T* t) { cudaFree(t); });
    check(cudaMemcpy(p, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice), "cudaMemcpy");
  }
  const T* data() const { return data_.get(); }
  std::size_t size() const { return size_; }

 private:
  std::shared_ptr<T> data_;
  std::size_t size_ = 0;
};

}  // namespace tenon::cuda
