// Macros for dense loops of one function, compiled once an instruction set (private; see kernels/isa.hpp).
#pragma once

/// name_range: `value` of x, and of a, the first parameter.
#define TENON_RANGE(T, name, value)                                                                               \
  inline void name##_range(kernels::UnaryArgs args, std::int64_t n, const T* __restrict from, T* __restrict to) { \
    [[maybe_unused]] const T a = T(args.a);                                                                       \
    for (std::int64_t i = 0; i < n; ++i) {                                                                        \
      const T x = from[i];                                                                                        \
      to[i] = value;                                                                                              \
    }                                                                                                             \
  }

/// `value` everywhere, and, in the rare block that holds arguments it is not for, `other` in their places. `holds`: of x and the value y.
#define TENON_RANGE_WHERE(T, name, value, holds, other)                                                           \
  inline void name##_range(kernels::UnaryArgs args, std::int64_t n, const T* __restrict from, T* __restrict to) { \
    [[maybe_unused]] const T a = T(args.a);                                                                       \
    for (std::int64_t begin = 0; begin < n; begin += 1024) {                                                      \
      const std::int64_t end = n - begin < 1024 ? n : begin + 1024;                                               \
      T outside = 0; /* of T's width, that the loop stays one of whole vectors */                                 \
      for (std::int64_t i = begin; i < end; ++i) {                                                                \
        const T x = from[i];                                                                                      \
        [[maybe_unused]] const T y = value;                                                                       \
        to[i] = y;                                                                                                \
        outside = (holds) ? outside : T(1);                                                                       \
      }                                                                                                           \
      if (outside == 0) [[likely]]                                                                                \
        continue;                                                                                                 \
      for (std::int64_t i = begin; i < end; ++i) {                                                                \
        const T x = from[i];                                                                                      \
        [[maybe_unused]] const T y = to[i];                                                                       \
        if (!(holds)) to[i] = other;                                                                              \
      }                                                                                                           \
    }                                                                                                             \
  }

/// The same of two operands, x and y.
#define TENON_RANGE_OF_TWO(T, name, value)                                                                     \
  inline void name##_range(std::int64_t n, const T* __restrict xs, const T* __restrict ys, T* __restrict to) { \
    for (std::int64_t i = 0; i < n; ++i) {                                                                     \
      const T x = xs[i], y = ys[i];                                                                            \
      to[i] = value;                                                                                           \
    }                                                                                                          \
  }

#define TENON_RANGE_OF_TWO_WHERE(T, name, value, holds, other)                                                 \
  inline void name##_range(std::int64_t n, const T* __restrict xs, const T* __restrict ys, T* __restrict to) { \
    for (std::int64_t begin = 0; begin < n; begin += 1024) {                                                   \
      const std::int64_t end = n - begin < 1024 ? n : begin + 1024;                                            \
      T outside = 0;                                                                                           \
      for (std::int64_t i = begin; i < end; ++i) {                                                             \
        const T x = xs[i], y = ys[i];                                                                          \
        to[i] = value;                                                                                         \
        outside = (holds) ? outside : T(1);                                                                    \
      }                                                                                                        \
      if (outside == 0) [[likely]]                                                                             \
        continue;                                                                                              \
      for (std::int64_t i = begin; i < end; ++i) {                                                             \
        const T x = xs[i], y = ys[i];                                                                          \
        if (!(holds)) to[i] = other;                                                                           \
      }                                                                                                        \
    }                                                                                                          \
  }

/// Names of ranges that f32 and f64 have, by kernels::Unary.
#define TENON_RANGES_OF_BOTH(X)                                                                                                     \
  X(exp)                                                                                                                            \
  X(expm1) X(log) X(log1p) X(sqrt) X(rsqrt) X(sin) X(cos) X(tan) X(asin) X(acos) X(atan) X(sinh) X(cosh) X(tanh) X(sigmoid) X(silu) \
      X(softplus) X(elu) X(elu_d1)
#define TENON_RANGE_CASE(kind) \
  case kernels::Unary::kind:   \
    return TENON_BY_ISA(kind##_range);
