/// Several neighbouring elements at a time, stored as any type and computed as one: the device's twin of backend/cpu/tiles.hpp (private).
///
/// The stored type is a value, not a template argument: an op is compiled once a computed type, and the branch is the same for all threads.
#pragma once

#include <cuda_runtime.h>

#if !defined(TENON_CUDA_ON_CPU)
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#endif

#include "kernels/elementwise.hpp"
#include "ops/convert.hpp"
#include "ops/dispatch.hpp"

namespace tenon::cuda {

using kernels::Complex;

/// N neighbours in memory, moved by the widest accesses there are. The address is a multiple of its alignment.
template <class T, int N>
struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) Lanes {
  T of[N];
};

/// Bytes to which a pointer must be aligned for Lanes<T, N>.
constexpr std::size_t lanes_alignment(std::size_t size, int n) {
  return size * std::size_t(n) < 16 ? size * std::size_t(n) : 16;
}
inline bool is_aligned(const void* p, std::size_t bytes) {
  return reinterpret_cast<std::uintptr_t>(p) % bytes == 0;
}

// ---- one element ---------------------------------------------------------------------------------------------------

/// Conversions of 16-bit floats by the device's own instructions; otherwise ops/convert.hpp.
template <class To, class From>
__device__ inline To convert_fast(From v) {
#if defined(__CUDA_ARCH__) && !defined(TENON_CUDA_ON_CPU)
  if constexpr (std::is_same_v<From, f16> && std::is_same_v<To, float>) return __half2float(__ushort_as_half(v.bits));
  if constexpr (std::is_same_v<To, f16> && std::is_same_v<From, float>) {
    f16 to;
    to.bits = __half_as_ushort(__float2half_rn(v));
    return to;
  }
  if constexpr (std::is_same_v<To, bf16> && std::is_same_v<From, float>) {
    bf16 to;
    to.bits = __bfloat16_as_ushort(__float2bfloat16_rn(v));
    return to;
  }
#endif
  return convert<To>(v);
}

/// f(TypeTag<T>{}) for the stored types that are computed as C.
template <class C, class F>
__device__ __forceinline__ void with_stored(DType t, F&& f) {
  if constexpr (std::is_same_v<C, float>) {
    if (t == DType::f32) return f(TypeTag<float>{});
    if (t == DType::bf16) return f(TypeTag<bf16>{});
    f(TypeTag<f16>{});
  } else if constexpr (std::is_same_v<C, std::int64_t>) {
    switch (t) {
      case DType::i64:
        return f(TypeTag<std::int64_t>{});
      case DType::i32:
        return f(TypeTag<std::int32_t>{});
      case DType::i16:
        return f(TypeTag<std::int16_t>{});
      case DType::i8:
        return f(TypeTag<std::int8_t>{});
      case DType::u8:
        return f(TypeTag<std::uint8_t>{});
      default:
        return f(TypeTag<bool>{});
    }
  } else {
    f(TypeTag<C>{});
  }
}

template <class C>
__device__ __forceinline__ C load_lane(DType t, const void* p, std::int64_t at) {
  C v;
  with_stored<C>(t, [&](auto tag) { v = convert_fast<C>(static_cast<const typename decltype(tag)::type*>(p)[at]); });
  return v;
}
template <class C>
__device__ __forceinline__ void store_lane(DType t, void* p, std::int64_t at, C v) {
  with_stored<C>(t, [&](auto tag) {
    using T = typename decltype(tag)::type;
    static_cast<T*>(p)[at] = convert_fast<T>(v);
  });
}

// ---- several ---------------------------------------------------------------------------------------------------------

/// Elements at .. at + N - 1; the address is aligned.
template <class C, int N>
__device__ __forceinline__ void load_lanes(DType t, const void* p, std::int64_t at, C (&x)[N]) {
  with_stored<C>(t, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Lanes<T, N> v = *reinterpret_cast<const Lanes<T, N>*>(static_cast<const T*>(p) + at);
#pragma unroll
    for (int i = 0; i < N; ++i) x[i] = convert_fast<C>(v.of[i]);
  });
}
template <class T, class C, int N>
__device__ __forceinline__ void store_as(void* p, std::int64_t at, const C (&x)[N]) {
  Lanes<T, N> v;
#pragma unroll
  for (int i = 0; i < N; ++i) v.of[i] = convert_fast<T>(x[i]);
  *reinterpret_cast<Lanes<T, N>*>(static_cast<T*>(p) + at) = v;
}
template <class C, int N>
__device__ __forceinline__ void store_lanes(DType t, void* p, std::int64_t at, const C (&x)[N]) {
  with_stored<C>(t, [&](auto tag) { store_as<typename decltype(tag)::type, C, N>(p, at, x); });
}

}  // namespace tenon::cuda
