/// CUDA calls that throw, and the stream of this library (private).
#pragma once

#include <cuda_runtime.h>

#include <string>

#include "tenon/error.hpp"

namespace tenon::cuda {

/// Throws a device error naming the call and CUDA's reason.
inline void check(cudaError_t status, const char* call) {
  if (status == cudaSuccess) return;
  throw Error(ErrorKind::device, "cuda.failed", std::string(call) + ": " + cudaGetErrorName(status) + " (" + cudaGetErrorString(status) + ")",
              "run `tenon devices`; --device cpu needs no GPU");
}

/// All work of this library runs on one stream a device; copies to the host wait for it.
cudaStream_t stream();

/// Of the one device that a process works on.
std::string device_name();

/// After a launch: a bad configuration is reported where it happened.
inline void check_launch(const char* kernel) { check(cudaGetLastError(), kernel); }

inline constexpr int kBlock = 256;
inline unsigned grid_for(std::int64_t items) {
  std::int64_t blocks = (items + kBlock - 1) / kBlock;
  return unsigned(blocks < 1 ? 1 : blocks > 65535 * 16 ? 65535 * 16 : blocks);
}

}  // namespace tenon::cuda
