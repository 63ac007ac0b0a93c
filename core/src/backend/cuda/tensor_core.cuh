/// What tensor cores compute, and how their operands come into registers and shared memory (private). On a CPU (tests/cuda_on_cpu) the lanes of a warp
/// do the same together.
///
/// Of a fragment's 16 rows a lane holds rows g and g + 8, g = lane / 4; of the sums' columns 2 t and 2 t + 1, t = lane % 4.
#pragma once

#include <cstdint>
#include <type_traits>

#include "backend/cuda/launch.cuh"
#include "kernels/types.hpp"

#if defined(TENON_CUDA_ON_CPU)
#include "cuda_on_cpu/tensor_core.hpp"
#else

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace tenon::cuda::mma {

__device__ inline std::uint32_t shared_address(const void* p) {
  return std::uint32_t(__cvta_generic_to_shared(p));
}

/// 16 bytes from `from` to shared memory in the background; zeros in their place where they are not `there`. Both lie on 16 bytes.
__device__ inline void fetch_16(void* to, const void* from, bool there) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(shared_address(to)), "l"(from), "r"(there ? 16 : 0) : "memory");
}
__device__ inline void close_fetch() {
  asm volatile("cp.async.commit_group;\n" ::: "memory");
}
/// Waits for all fetches closed but the last N.
template <int N>
__device__ void await_fetches() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(N) : "memory");
}

/// Four 8 x 8 matrices of 16-bit numbers; lane l gives row l % 8 of matrix l / 8, on 16 bytes. Of each matrix a lane gets row g, columns 2 t and 2 t + 1.
__device__ inline void load_four(std::uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}
/// The same of the matrices' transposes.
__device__ inline void load_four_turned(std::uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}

/// c [16, 8] += a [16, 16] b [16, 8] of T, bf16 or f16, sums in f32. a: rows g and g + 8 of columns 2 t and 2 t + 1, then those of columns 8 more; b: rows 2 t and
/// 2 t + 1 of column g, then those 8 more; c: row g, then row g + 8.
template <class T = bf16>
__device__ void multiply(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
  if constexpr (std::is_same_v<T, f16>)
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  else
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
template <class T = bf16>
__device__ std::uint32_t pair(float low, float high) {
  if constexpr (std::is_same_v<T, f16>) {
    const __half2 p = __floats2half2_rn(low, high);
    return *reinterpret_cast<const std::uint32_t*>(&p);
  } else {
    const __nv_bfloat162 p = __floats2bfloat162_rn(low, high);
    return *reinterpret_cast<const std::uint32_t*>(&p);
  }
}

/// The nearest of 11 significant bits.
__device__ inline float to_tf32(float x) {
  std::uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;\n" : "=r"(bits) : "f"(x));
  return __uint_as_float(bits);
}
/// c [16, 8] += a [16, 8] b [8, 8] of TF32, sums in f32. a: rows g and g + 8 of column t, then those of column t + 4; b: rows t and t + 4 of column g.
__device__ inline void multiply_tf32(float (&c)[4], const float4& a, float b0, float b1) {
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(__float_as_uint(a.x)), "r"(__float_as_uint(a.y)), "r"(__float_as_uint(a.z)), "r"(__float_as_uint(a.w)), "r"(__float_as_uint(b0)),
                 "r"(__float_as_uint(b1)));
}

}  // namespace tenon::cuda::mma

#endif
