/// Elements moved up to sixteen bytes at a time and computed in the accumulation type (private).
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <type_traits>

#include "backend/cuda/launch.cuh"
#include "kernels/types.hpp"

#if defined(__CUDACC__) && !defined(TENON_CUDA_ON_CPU)
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#endif

namespace tenon::cuda {

/// Elements of sixteen bytes.
template <class T>
inline constexpr int kLanes = 16 / int(sizeof(T));

/// True where all of these can be read sixteen bytes at a time.
inline bool aligned16(std::initializer_list<const void*> pointers) {
  for (const void* p : pointers)
    if (reinterpret_cast<std::uintptr_t>(p) % 16 != 0) return false;
  return true;
}

/// Blocks of a grid's first axis.
inline unsigned grid_blocks(std::int64_t blocks) {
  if (blocks > 0x7fffffff)
    throw Error(ErrorKind::device, "cuda.failed", std::to_string(blocks) + " blocks of threads are more than a device takes",
                "use a smaller batch");
  return unsigned(blocks);
}

template <class T>
__device__ Acc<T> widen(T v) {
#if defined(__CUDA_ARCH__)
  if constexpr (std::is_same_v<T, f16>) {
    __half_raw raw;
    raw.x = v.bits;
    return __half2float(__half(raw));
  } else
#endif
    return Acc<T>(v);
}

template <class T>
__device__ T narrow(Acc<T> v) {
#if defined(__CUDA_ARCH__)
  if constexpr (std::is_same_v<T, bf16>) {
    __nv_bfloat16_raw raw = __float2bfloat16_rn(v);
    T out;
    out.bits = raw.x;
    return out;
  } else if constexpr (std::is_same_v<T, f16>) {
    __half_raw raw = __float2half_rn(v);
    T out;
    out.bits = raw.x;
    return out;
  } else
#endif
    return T(v);
}

/// Copies `Bytes` bytes in pieces of at most sixteen; both sides aligned to the piece.
template <int Bytes>
__device__ void copy_bytes(void* to, const void* from) {
#if defined(__CUDA_ARCH__)
  if constexpr (Bytes == 2) {
    *static_cast<unsigned short*>(to) = *static_cast<const unsigned short*>(from);
  } else if constexpr (Bytes == 4) {
    *static_cast<unsigned*>(to) = *static_cast<const unsigned*>(from);
  } else if constexpr (Bytes == 8) {
    *static_cast<uint2*>(to) = *static_cast<const uint2*>(from);
  } else {
    static_assert(Bytes % 16 == 0);
#pragma unroll
    for (int i = 0; i < Bytes / 16; ++i) static_cast<uint4*>(to)[i] = static_cast<const uint4*>(from)[i];
  }
#else
  std::memcpy(to, from, Bytes);
#endif
}

/// The same to global memory. Spelled out: nvcc takes the store of a pack apart where its index is a multiple of the pack.
template <int Bytes>
__device__ void store_bytes(void* to, const void* from) {
#if defined(__CUDA_ARCH__)
  if constexpr (Bytes % 16 == 0) {
#pragma unroll
    for (int i = 0; i < Bytes / 16; ++i) {
      const uint4 v = static_cast<const uint4*>(from)[i];
      asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(__cvta_generic_to_global(static_cast<uint4*>(to) + i)), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w) : "memory");
    }
  } else if constexpr (Bytes == 8) {
    const uint2 v = *static_cast<const uint2*>(from);
    asm volatile("st.global.v2.u32 [%0], {%1, %2};" ::"l"(__cvta_generic_to_global(to)), "r"(v.x), "r"(v.y) : "memory");
  } else
#endif
    copy_bytes<Bytes>(to, from);
}

template <class T, int N>
inline constexpr int kPieceBytes = N* int(sizeof(T)) > 16 ? 16 : N* int(sizeof(T));

/// p: aligned to min(16, the size of N elements).
template <class T, int N>
__device__ void load_lanes(const T* p, Acc<T> (&to)[N]) {
  if constexpr (N == 1) {
    to[0] = widen<T>(*p);
  } else {
    alignas(kPieceBytes<T, N>) T raw[N];
    copy_bytes<N* int(sizeof(T))>(raw, p);
#pragma unroll
    for (int i = 0; i < N; ++i) to[i] = widen<T>(raw[i]);
  }
}

template <class T, int N>
__device__ void store_lanes(T* p, const Acc<T> (&from)[N]) {
  if constexpr (N == 1) {
    *p = narrow<T>(from[0]);
  } else {
    alignas(kPieceBytes<T, N>) T raw[N];
#pragma unroll
    for (int i = 0; i < N; ++i) raw[i] = narrow<T>(from[i]);
    store_bytes<N* int(sizeof(T))>(p, raw);
  }
}

/// N neighbouring values of any alignment, in large pieces where it allows.
template <class A, int N>
__device__ void load_any(const A* p, A (&to)[N]) {
  if constexpr (N * int(sizeof(A)) % 16 == 0) {
    if (reinterpret_cast<std::uintptr_t>(p) % 16 == 0) {
      alignas(16) A raw[N];
      copy_bytes<N* int(sizeof(A))>(raw, p);
#pragma unroll
      for (int i = 0; i < N; ++i) to[i] = raw[i];
      return;
    }
  }
#pragma unroll
  for (int i = 0; i < N; ++i) to[i] = p[i];
}

/// f(std::integral_constant<int, N>): as many elements at a time as rows of `width` and these pointers allow, up to sixteen bytes. Halves of
/// that are made for 16-bit types alone (300 channels are no rare number); else it is one element.
template <class T, class F>
void by_lanes(std::int64_t width, std::initializer_list<const void*> pointers, F&& f) {
  const bool aligned = aligned16(pointers);
  if (aligned && width % kLanes<T> == 0) return f(std::integral_constant<int, kLanes<T>>{});
  if constexpr (sizeof(T) == 2)
    if (aligned && width % (kLanes<T> / 2) == 0) return f(std::integral_constant<int, kLanes<T> / 2>{});
  f(std::integral_constant<int, 1>{});
}

}  // namespace tenon::cuda
