/// Tensor cores as the lanes of a warp that compute together: what backend/cuda/tensor_core.cuh declares for a device. Products are exact, sums are made in double
/// and cut off once an operation, as tensor cores do. Addresses that a device would not take are told.
#pragma once

#include <cstdint>
#include <string>

#include "cuda_on_cpu/scheduler.hpp"
#include "kernels/types.hpp"

namespace tenon::cuda::mma {

void fetch_16(void* to, const void* from, bool there);
inline void close_fetch() {
  on_cpu::close_copies();
}
template <int N>
void await_fetches() {
  on_cpu::await_copies(N);
}

#define TENON_PLACE const char *file = __builtin_FILE(), int line = __builtin_LINE()
void load_four(std::uint32_t (&r)[4], const void* row, TENON_PLACE);
void load_four_turned(std::uint32_t (&r)[4], const void* row, TENON_PLACE);
template <class T = bf16>
void multiply(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1, TENON_PLACE);
void multiply_tf32(float (&c)[4], const float4& a, float b0, float b1, TENON_PLACE);
#undef TENON_PLACE

template <class T = bf16>
std::uint32_t pair(float low, float high);
float to_tf32(float x);

}  // namespace tenon::cuda::mma
