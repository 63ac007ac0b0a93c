/// Compiling one set of loops for several instruction sets in one build (private).
///
/// The library is built for plain x86-64 and must use AVX-512 where it finds it. A file of loops (ops/simd/*.inl)
/// has no include guard and lives in `namespace tenon::TENON_ISA`; `kernels/foreach_isa.hpp` includes it once an
/// instruction set, between target pragmas. `TENON_BY_ISA(f)` is the address of the version that this CPU runs.
/// One such include a translation unit. Loops take raw pointers and hold no std::function, so that nothing of the
/// standard library is compiled for an instruction set that the machine may lack.
#pragma once

namespace tenon {

/// 0: what the compiler's default target gives; 1: AVX2 with FMA; 2: AVX-512 (F, BW, DQ, VL).
inline int isa_level() noexcept {
#if defined(__x86_64__) && defined(__GNUC__)
  static const int level = [] {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma"))
      return 2;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 1 : 0;
  }();
  return level;
#else
  return 0;
#endif
}

}  // namespace tenon

#if defined(__x86_64__) && defined(__GNUC__)
#define TENON_BY_ISA(...) (isa_level() == 2 ? &isa_avx512::__VA_ARGS__ : isa_level() == 1 ? &isa_avx2::__VA_ARGS__ : &isa_base::__VA_ARGS__)
#else
#define TENON_BY_ISA(...) (&isa_base::__VA_ARGS__)
#endif
