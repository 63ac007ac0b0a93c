/// A grid of threads, their barriers and what the lanes of a warp exchange. The work is done by the scheduler (scheduler.cpp).
#pragma once

#include <cstring>
#include <type_traits>

#include "cuda_on_cpu/scheduler.hpp"
#include "cuda_on_cpu/vectors.hpp"

/// Those of the thread that runs now.
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
inline constexpr int warpSize = 32;

// Where a call stands in the source tells threads that wait at one barrier from those that wait at another.
#define TENON_PLACE const char *file = __builtin_FILE(), int line = __builtin_LINE()
#define TENON_HERE               \
  ::tenon::cuda::on_cpu::Place { \
    file, line                   \
  }

inline void __syncthreads(TENON_PLACE) {
  tenon::cuda::on_cpu::wait_for_block(0, TENON_HERE);
}
inline int __syncthreads_count(int predicate, TENON_PLACE) {
  return tenon::cuda::on_cpu::wait_for_block(predicate != 0, TENON_HERE);
}
inline int __syncthreads_or(int predicate, TENON_PLACE) {
  return __syncthreads_count(predicate, file, line) > 0;
}
inline int __syncthreads_and(int predicate, TENON_PLACE) {
  return __syncthreads_count(!predicate, file, line) == 0;
}

namespace tenon::cuda::on_cpu {

inline int segment_begin(int width) {
  return lane() & ~(width - 1);
}

template <class T>
requires(std::is_arithmetic_v<T> && sizeof(T) >= 4) T shuffle(unsigned mask, T value, int source, Place place) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = wait_for_warp(WarpOp::shuffle, mask, bits, source, place);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace tenon::cuda::on_cpu

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, TENON_PLACE) {
  using namespace tenon::cuda::on_cpu;
  return shuffle(mask, value, segment_begin(width) + (source & (width - 1)), TENON_HERE);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, TENON_PLACE) {
  using namespace tenon::cuda::on_cpu;
  const int source = lane() - int(delta);
  return shuffle(mask, value, source < segment_begin(width) ? lane() : source, TENON_HERE);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, TENON_PLACE) {
  using namespace tenon::cuda::on_cpu;
  const int source = lane() + int(delta);
  return shuffle(mask, value, source >= segment_begin(width) + width ? lane() : source, TENON_HERE);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32, TENON_PLACE) {
  using namespace tenon::cuda::on_cpu;
  const int source = lane() ^ lane_mask;
  return shuffle(mask, value, source >= segment_begin(width) + width ? lane() : source, TENON_HERE);
}

inline void __syncwarp(unsigned mask = 0xffffffffu, TENON_PLACE) {
  tenon::cuda::on_cpu::wait_for_warp(tenon::cuda::on_cpu::WarpOp::sync, mask, 0, 0, TENON_HERE);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, TENON_PLACE) {
  return unsigned(tenon::cuda::on_cpu::wait_for_warp(tenon::cuda::on_cpu::WarpOp::ballot, mask, predicate != 0, 0, TENON_HERE));
}
inline int __any_sync(unsigned mask, int predicate, TENON_PLACE) {
  return __ballot_sync(mask, predicate, file, line) != 0;
}
inline int __all_sync(unsigned mask, int predicate, TENON_PLACE) {
  return __ballot_sync(mask, !predicate, file, line) == 0;
}
/// The lanes that run now are those that have not ended: there is no divergence to see.
inline unsigned __activemask() {
  return tenon::cuda::on_cpu::live_lanes();
}
template <class T>
unsigned __match_any_sync(unsigned mask, T value, TENON_PLACE) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return unsigned(tenon::cuda::on_cpu::wait_for_warp(tenon::cuda::on_cpu::WarpOp::match, mask, bits, 0, TENON_HERE));
}

#define TENON_WARP_REDUCTION(name, op)                                                                                \
  inline unsigned name(unsigned mask, unsigned value, TENON_PLACE) {                                                  \
    return unsigned(tenon::cuda::on_cpu::wait_for_warp(tenon::cuda::on_cpu::WarpOp::op, mask, value, 0, TENON_HERE)); \
  }
#define TENON_SIGNED_WARP_REDUCTION(name, op)                                                                   \
  inline int name(unsigned mask, int value, TENON_PLACE) {                                                      \
    const auto wide = std::uint64_t(std::int64_t(value));                                                       \
    return int(tenon::cuda::on_cpu::wait_for_warp(tenon::cuda::on_cpu::WarpOp::op, mask, wide, 0, TENON_HERE)); \
  }
TENON_WARP_REDUCTION(__reduce_add_sync, add)
TENON_WARP_REDUCTION(__reduce_min_sync, least)
TENON_WARP_REDUCTION(__reduce_max_sync, greatest)
TENON_WARP_REDUCTION(__reduce_and_sync, bit_and)
TENON_WARP_REDUCTION(__reduce_or_sync, bit_or)
TENON_WARP_REDUCTION(__reduce_xor_sync, bit_xor)
TENON_SIGNED_WARP_REDUCTION(__reduce_add_sync, add)
TENON_SIGNED_WARP_REDUCTION(__reduce_min_sync, least)
TENON_SIGNED_WARP_REDUCTION(__reduce_max_sync, greatest)
#undef TENON_WARP_REDUCTION
#undef TENON_SIGNED_WARP_REDUCTION
#undef TENON_PLACE
#undef TENON_HERE
