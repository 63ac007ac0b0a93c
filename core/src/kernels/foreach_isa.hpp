// Includes TENON_ISA_FILE once an instruction set; see isa.hpp. No guard: it is used once in each of several files.
#include "kernels/isa.hpp"

// The vector helpers are always inlined, so the calling convention of vector arguments never comes into play.
#pragma GCC diagnostic ignored "-Wpsabi"

#define TENON_ISA isa_base
#if defined(__AVX2__) && defined(__FMA__)
#define TENON_LANES_BYTES 32
#else
#define TENON_LANES_BYTES 16
#endif
#include TENON_ISA_FILE
#undef TENON_ISA
#undef TENON_LANES_BYTES

#if defined(__x86_64__) && defined(__GNUC__)
#if defined(__AVX2__) && defined(__FMA__)
namespace tenon {
namespace isa_avx2 = isa_base;  // the default target has it all: one version serves for both
}
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,bmi,bmi2,lzcnt,popcnt")
#define TENON_ISA isa_avx2
#define TENON_LANES_BYTES 32
#include TENON_ISA_FILE
#undef TENON_ISA
#undef TENON_LANES_BYTES
#pragma GCC pop_options
#endif

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi,bmi2,lzcnt,popcnt,prefer-vector-width=512")
#define TENON_ISA isa_avx512
#define TENON_LANES_BYTES 64
#include TENON_ISA_FILE
#undef TENON_ISA
#undef TENON_LANES_BYTES
#pragma GCC pop_options
#endif
