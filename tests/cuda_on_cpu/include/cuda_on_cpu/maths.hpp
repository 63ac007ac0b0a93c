/// Maths functions that CUDA has and the C library has not.
#pragma once

#include <cmath>
#include <cstdint>

inline float rsqrtf(float x) {
  return 1.0f / std::sqrt(x);
}
inline double rsqrt(double x) {
  return 1.0 / std::sqrt(x);
}
inline float rsqrt(float x) {
  return rsqrtf(x);
}
inline float rcbrtf(float x) {
  return 1.0f / std::cbrt(x);
}
inline float __frsqrt_rn(float x) {
  return rsqrtf(x);
}
inline float __frcp_rn(float x) {
  return 1.0f / x;
}
inline float __fsqrt_rn(float x) {
  return std::sqrt(x);
}
inline float __fdiv_rn(float x, float y) {
  return x / y;
}
inline float __fdividef(float x, float y) {
  return x / y;
}
inline float __fmaf_rn(float x, float y, float z) {
  return std::fma(x, y, z);
}
inline double __fma_rn(double x, double y, double z) {
  return std::fma(x, y, z);
}
inline double __dsqrt_rn(double x) {
  return std::sqrt(x);
}
inline double __ddiv_rn(double x, double y) {
  return x / y;
}
inline double __drcp_rn(double x) {
  return 1.0 / x;
}

// never contracted to a fused multiply-add
#define TENON_ROUNDED(name, type, sign) \
  inline type name(type x, type y) {    \
    volatile type result = x sign y;    \
    return result;                      \
  }
TENON_ROUNDED(__fadd_rn, float, +)
TENON_ROUNDED(__fsub_rn, float, -)
TENON_ROUNDED(__fmul_rn, float, *)
TENON_ROUNDED(__dadd_rn, double, +)
TENON_ROUNDED(__dsub_rn, double, -)
TENON_ROUNDED(__dmul_rn, double, *)
#undef TENON_ROUNDED

inline float __expf(float x) {
  return std::exp(x);
}
inline float __exp10f(float x) {
  return std::pow(10.0f, x);
}
inline float __logf(float x) {
  return std::log(x);
}
inline float __log2f(float x) {
  return std::log2(x);
}
inline float __log10f(float x) {
  return std::log10(x);
}
inline float __sinf(float x) {
  return std::sin(x);
}
inline float __cosf(float x) {
  return std::cos(x);
}
inline float __tanf(float x) {
  return std::tan(x);
}
inline float __powf(float x, float y) {
  return std::pow(x, y);
}
inline float __saturatef(float x) {
  return x > 0 ? x < 1 ? x : 1.0f : 0.0f;
}
inline void __sincosf(float x, float* s, float* c) {
  *s = std::sin(x);
  *c = std::cos(x);
}

/// sin(pi x), exact where it is 0, 1 or -1: the argument is reduced before it is multiplied.
inline double sinpi(double x) {
  const double whole = std::floor(x + 0.5), r = x - whole;  // r in [-0.5, 0.5)
  const double s = std::sin(3.14159265358979323846 * r);
  return std::fmod(whole, 2.0) == 0 ? s : -s;
}
inline double cospi(double x) {
  const double a = std::fmod(std::fabs(x), 2.0);
  return a == 0.5 || a == 1.5 ? 0.0 : sinpi(a + 0.5);
}
inline float sinpif(float x) {
  return float(sinpi(x));
}
inline float cospif(float x) {
  return float(cospi(x));
}
inline void sincospi(double x, double* s, double* c) {
  *s = sinpi(x);
  *c = cospi(x);
}
inline void sincospif(float x, float* s, float* c) {
  *s = sinpif(x);
  *c = cospif(x);
}
inline double normcdf(double x) {
  return 0.5 * std::erfc(-x / 1.41421356237309504880);
}
inline float normcdff(float x) {
  return float(normcdf(x));
}

inline int __float2int_rn(float x) {
  return int(std::nearbyint(x));
}
inline int __float2int_rz(float x) {
  return int(x);
}
inline int __float2int_rd(float x) {
  return int(std::floor(x));
}
inline int __float2int_ru(float x) {
  return int(std::ceil(x));
}
inline unsigned __float2uint_rn(float x) {
  return unsigned(std::nearbyint(x));
}
inline unsigned __float2uint_rz(float x) {
  return unsigned(x);
}
inline long long __float2ll_rn(float x) {
  return static_cast<long long>(std::nearbyint(x));
}
inline long long __double2ll_rn(double x) {
  return static_cast<long long>(std::nearbyint(x));
}
inline long long __double2ll_rz(double x) {
  return static_cast<long long>(x);
}
inline int __double2int_rn(double x) {
  return int(std::nearbyint(x));
}
inline int __double2int_rz(double x) {
  return int(x);
}
inline float __double2float_rn(double x) {
  return float(x);
}
inline float __int2float_rn(int x) {
  return float(x);
}
inline float __uint2float_rn(unsigned x) {
  return float(x);
}
inline float __ll2float_rn(long long x) {
  return float(x);
}
inline float __ull2float_rn(unsigned long long x) {
  return float(x);
}
inline double __int2double_rn(int x) {
  return x;
}
inline double __uint2double_rn(unsigned x) {
  return x;
}
inline double __ll2double_rn(long long x) {
  return double(x);
}
inline double __ull2double_rn(unsigned long long x) {
  return double(x);
}

#define TENON_MIN_MAX(type)         \
  inline type min(type x, type y) { \
    return y < x ? y : x;           \
  }                                 \
  inline type max(type x, type y) { \
    return x < y ? y : x;           \
  }
TENON_MIN_MAX(int)
TENON_MIN_MAX(unsigned)
TENON_MIN_MAX(long)
TENON_MIN_MAX(unsigned long)
TENON_MIN_MAX(long long)
TENON_MIN_MAX(unsigned long long)
#undef TENON_MIN_MAX
inline float min(float x, float y) {
  return std::fmin(x, y);
}
inline float max(float x, float y) {
  return std::fmax(x, y);
}
inline double min(double x, double y) {
  return std::fmin(x, y);
}
inline double max(double x, double y) {
  return std::fmax(x, y);
}
