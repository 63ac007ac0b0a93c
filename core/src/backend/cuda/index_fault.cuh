/// Indices out of range (private).
#pragma once

#include "backend/cuda/faults.cuh"
#include "backend/cuda/launch.cuh"
#include "ops/index_kernels.hpp"

namespace tenon::cuda {

inline FaultSite index_fault(const IndexMove& p) {
  const std::string key = std::string(p.op) + ' ' + p.index_shape.str() + ' ' + std::to_string(p.at.n);
  return fault_site(
      key, [op = p.op, shape = p.index_shape, n = p.at.n](std::int64_t value, std::int64_t at) { refuse_index(op, value, at, shape, n); });
}

template <class Index>
__global__ void __launch_bounds__(kBlock) check_indices(const Index* index, std::int64_t count, std::int64_t n, FaultSite fault) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads)
    if (std::uint64_t(index[i]) >= std::uint64_t(n)) fault.raise(i, index[i]);
}

/// For kernels that do not meet every index by themselves.
inline void check_all_indices(const IndexMove& p, const std::int64_t* index, const FaultSite& fault) {
  const std::int64_t count = p.index_shape.numel();
  start_items(p.op, count, check_indices<std::int64_t>, index, count, p.at.n, fault);
}

}  // namespace tenon::cuda
