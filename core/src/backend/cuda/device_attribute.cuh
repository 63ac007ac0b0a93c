/// What the device in use is like (private).
#pragma once

#include "backend/cuda/check.cuh"

namespace tenon::cuda {

inline int device_attribute(cudaDeviceAttr what) {
  int device = 0, value = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  check(cudaDeviceGetAttribute(&value, what, device), "cudaDeviceGetAttribute");
  return value;
}

}  // namespace tenon::cuda
