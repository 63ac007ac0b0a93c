/// What the machine has, for tests of what is told of it.
#pragma once

#include <vector>

#include "cuda_on_cpu/runtime_api.hpp"

namespace tenon::cuda::on_cpu {

struct Machine {
  int driver = 12040;                ///< 0: none
  cudaError_t counted = cudaSuccess;  ///< of its cards
  std::vector<int> majors{9};        ///< compute capability of each; 0: its properties cannot be read
  int kilohertz = 0, bits = 0;       ///< of the memory; 0: not known
};
Machine& machine();

}  // namespace tenon::cuda::on_cpu
