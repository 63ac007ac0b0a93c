/// Integer and bit intrinsics, and atomics on integers. Blocks run one after the other and a fiber is never interrupted, so plain reads and
/// writes are atomic.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

inline int __popc(unsigned v) {
  return std::popcount(v);
}
inline int __popcll(unsigned long long v) {
  return std::popcount(v);
}
inline int __clz(int v) {
  return std::countl_zero(unsigned(v));
}
inline int __clzll(long long v) {
  return std::countl_zero(static_cast<unsigned long long>(v));
}
inline int __ffs(int v) {
  return __builtin_ffs(v);
}
inline int __ffsll(long long v) {
  return __builtin_ffsll(v);
}
inline unsigned __brev(unsigned v) {
  unsigned r = 0;
  for (int i = 0; i < 32; ++i) r |= (v >> i & 1u) << (31 - i);
  return r;
}
inline unsigned long long __brevll(unsigned long long v) {
  return static_cast<unsigned long long>(__brev(unsigned(v))) << 32 | __brev(unsigned(v >> 32));
}
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
  return unsigned((std::uint64_t(high) << 32 | low) << (shift & 31u) >> 32);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
  return unsigned((std::uint64_t(high) << 32 | low) >> (shift & 31u));
}
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector) {
  const std::uint64_t bytes = std::uint64_t(y) << 32 | x;
  unsigned r = 0;
  for (int i = 0; i < 4; ++i) r |= unsigned(bytes >> (8 * (selector >> (4 * i) & 7u)) & 0xffu) << (8 * i);
  return r;
}
inline int __mulhi(int x, int y) {
  return int(std::int64_t(x) * y >> 32);
}
inline unsigned __umulhi(unsigned x, unsigned y) {
  return unsigned(std::uint64_t(x) * y >> 32);
}
inline long long __mul64hi(long long x, long long y) {
  return static_cast<long long>(static_cast<__int128>(x) * y >> 64);
}
inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y) {
  return static_cast<unsigned long long>(static_cast<unsigned __int128>(x) * y >> 64);
}

inline int __float_as_int(float v) {
  return std::bit_cast<int>(v);
}
inline unsigned __float_as_uint(float v) {
  return std::bit_cast<unsigned>(v);
}
inline float __int_as_float(int v) {
  return std::bit_cast<float>(v);
}
inline float __uint_as_float(unsigned v) {
  return std::bit_cast<float>(v);
}
inline long long __double_as_longlong(double v) {
  return std::bit_cast<long long>(v);
}
inline double __longlong_as_double(long long v) {
  return std::bit_cast<double>(v);
}
inline int __double2hiint(double v) {
  return int(std::bit_cast<std::uint64_t>(v) >> 32);
}
inline int __double2loint(double v) {
  return int(std::bit_cast<std::uint64_t>(v));
}
inline double __hiloint2double(int high, int low) {
  return std::bit_cast<double>(std::uint64_t(unsigned(high)) << 32 | unsigned(low));
}

#define TENON_ATOMIC(name, type, result) \
  inline type name(type* at, type v) {   \
    const type old = *at;                \
    *at = (result);                      \
    return old;                          \
  }
#define TENON_INTEGER_ATOMICS(type, wide)                               \
  TENON_ATOMIC(atomicAdd, type, static_cast<type>(wide(old) + wide(v))) \
  TENON_ATOMIC(atomicSub, type, static_cast<type>(wide(old) - wide(v))) \
  TENON_ATOMIC(atomicMin, type, std::min(old, v))                       \
  TENON_ATOMIC(atomicMax, type, std::max(old, v))                       \
  TENON_ATOMIC(atomicAnd, type, old& v)                                 \
  TENON_ATOMIC(atomicOr, type, old | v)                                 \
  TENON_ATOMIC(atomicXor, type, old ^ v)                                \
  TENON_ATOMIC(atomicExch, type, v)                                     \
  inline type atomicCAS(type* at, type compare, type v) {               \
    const type old = *at;                                               \
    if (old == compare) *at = v;                                        \
    return old;                                                         \
  }
using tenon_unsigned_long_long = unsigned long long;
TENON_INTEGER_ATOMICS(int, unsigned)
TENON_INTEGER_ATOMICS(unsigned, unsigned)
TENON_INTEGER_ATOMICS(tenon_unsigned_long_long, tenon_unsigned_long_long)
inline long long atomicMin(long long* at, long long v) {
  const long long old = *at;
  *at = std::min(old, v);
  return old;
}
inline long long atomicMax(long long* at, long long v) {
  const long long old = *at;
  *at = std::max(old, v);
  return old;
}
TENON_ATOMIC(atomicExch, float, v)
TENON_ATOMIC(atomicInc, unsigned, old >= v ? 0u : old + 1u)
TENON_ATOMIC(atomicDec, unsigned, old == 0 || old > v ? v : old - 1u)
#undef TENON_INTEGER_ATOMICS
#undef TENON_ATOMIC
