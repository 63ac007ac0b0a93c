// Dense ranges of functions that cost much a value; see kernels/activation.hpp and kernels/maths.hpp.
#include "kernels/activation.hpp"
#include "kernels/maths.hpp"

namespace tenon::TENON_ISA {

#define TENON_RANGE(name, value)                                                                          \
  inline void name##_range(kernels::UnaryArgs args, std::int64_t n, const float* __restrict from, float* __restrict to) { \
    [[maybe_unused]] const float a = float(args.a);                                                        \
    for (std::int64_t i = 0; i < n; ++i) {                                                                 \
      const float x = from[i];                                                                             \
      to[i] = value;                                                                                       \
    }                                                                                                      \
  }

TENON_RANGE(exp, exp_f32(x))
TENON_RANGE(expm1, expm1_f32(x))
TENON_RANGE(tanh, tanh_fast(x))
TENON_RANGE(sigmoid, sigmoid_fast(x))
TENON_RANGE(silu, x * sigmoid_fast(x))
TENON_RANGE(softplus, softplus_f32(x))
TENON_RANGE(elu, (x > 0 ? x : a * expm1_f32(x > 0 ? 0.0f : x)))
TENON_RANGE(elu_slope, (x > 0 ? 1.0f : a * exp_f32(x > 0 ? 0.0f : x)))
TENON_RANGE(gelu, gelu_fast(x))
TENON_RANGE(gelu_slope, gelu_slope(x))
TENON_RANGE(gelu_tanh, gelu_tanh_fast(x))
TENON_RANGE(gelu_tanh_slope, gelu_tanh_slope(x))
TENON_RANGE(square_root, __builtin_sqrtf(x))
TENON_RANGE(inverse_root, 1.0f / __builtin_sqrtf(x))

/// `value` everywhere, and, in the rare range that holds arguments it is not for, `other` in their places.
#define TENON_RANGE_WITHIN(name, value, lowest, largest, other)                                            \
  inline void name##_range(kernels::UnaryArgs, std::int64_t n, const float* __restrict from, float* __restrict to) { \
    int outside = 0;                                                                                       \
    for (std::int64_t i = 0; i < n; ++i) {                                                                 \
      const float x = from[i];                                                                             \
      to[i] = value;                                                                                       \
      outside |= !(x >= lowest) | !(x <= largest);                                                         \
    }                                                                                                      \
    if (!outside) [[likely]] return;                                                                       \
    for (std::int64_t i = 0; i < n; ++i) {                                                                 \
      const float x = from[i];                                                                             \
      if (!(x >= lowest && x <= largest)) to[i] = other;                                                   \
    }                                                                                                      \
  }

TENON_RANGE_WITHIN(log, log_f32(x), 1.17549435e-38f, 3.4028234e38f, __builtin_logf(x))
TENON_RANGE_WITHIN(log1p, log1p_f32(x), -0.9999999f, 3.4028234e38f, __builtin_log1pf(x))
TENON_RANGE_WITHIN(sin, wave_f32(x, 0), -kWaveReach, kWaveReach, __builtin_sinf(x))
TENON_RANGE_WITHIN(cos, wave_f32(x, 1), -kWaveReach, kWaveReach, __builtin_cosf(x))

/// x to the power a, for the few exponents that are products, quotients and roots.
inline void power_range(kernels::UnaryArgs args, std::int64_t n, const float* __restrict from, float* __restrict to) {
  const auto each = [&](auto f) __attribute__((always_inline)) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = f(from[i]);
  };
  if (args.a == 2) each([](float x) { return x * x; });
  else if (args.a == 1) each([](float x) { return x; });
  else if (args.a == -1) each([](float x) { return 1.0f / x; });
  else if (args.a == 3) each([](float x) { return float(double(x) * double(x) * double(x)); });
  else if (args.a == -2) each([](float x) { return float(1.0 / (double(x) * double(x))); });
  else
    for (std::int64_t i = 0; i < n; ++i) to[i] = __builtin_powf(from[i], float(args.a));
}

#undef TENON_RANGE
#undef TENON_RANGE_WITHIN

inline void gelu_gradient_range(std::int64_t n, const float* __restrict x, const float* __restrict dy, float* __restrict dx) {
  for (std::int64_t i = 0; i < n; ++i) dx[i] = dy[i] * gelu_slope(x[i]);
}
inline void gelu_tanh_gradient_range(std::int64_t n, const float* __restrict x, const float* __restrict dy, float* __restrict dx) {
  for (std::int64_t i = 0; i < n; ++i) dx[i] = dy[i] * gelu_tanh_slope(x[i]);
}

}  // namespace tenon::TENON_ISA
