/// "Device" memory for a test of one kernel: it ends with its last byte, so that a write behind it is told.
#pragma once

#include <cstddef>

#include "cuda_on_cpu/runtime/memory.hpp"

namespace under_test {

template <class T>
struct OnDevice {
  explicit OnDevice(std::size_t count) : at(static_cast<T*>(tenon::cuda::on_cpu::take(count * sizeof(T)))) {}
  ~OnDevice() { tenon::cuda::on_cpu::give_back(at); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;
  T* at;
};

}  // namespace under_test
