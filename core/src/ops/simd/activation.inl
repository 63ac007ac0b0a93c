// Dense f32 ranges of functions that cost much a value; see kernels/activation.hpp, kernels/angles.hpp and kernels/maths.hpp.
#include "kernels/activation.hpp"
#include "kernels/maths.hpp"
#include "ops/range_loops.hpp"

namespace tenon::TENON_ISA {

TENON_RANGE(float, exp, exp_f32(x))
TENON_RANGE(float, expm1, expm1_f32(x))
TENON_RANGE(float, atan, atan_of(x))
TENON_RANGE(float, asin, asin_of(x))
TENON_RANGE(float, acos, acos_of(x))
TENON_RANGE(float, sinh, sinh_of(x))
TENON_RANGE(float, cosh, cosh_of(x))
TENON_RANGE(float, tanh, (x == 0 ? x : tanh_fast(x)))
TENON_RANGE(float, erf, erf_fast(x))
TENON_RANGE(float, sigmoid, sigmoid_fast(x))
TENON_RANGE(float, silu, x * sigmoid_fast(x))
TENON_RANGE(float, softplus, softplus_f32(x))
TENON_RANGE(float, elu, (x > 0 ? x : a * expm1_f32(x > 0 ? 0.0f : x)))
TENON_RANGE(float, elu_d1, (x > 0 ? 1.0f : a * exp_f32(x > 0 ? 0.0f : x)))
TENON_RANGE(float, gelu, gelu_fast(x))
TENON_RANGE(float, gelu_d1, gelu_slope(x))
TENON_RANGE(float, gelu_tanh, gelu_tanh_fast(x))
TENON_RANGE(float, gelu_tanh_d1, gelu_tanh_slope(x))
TENON_RANGE(float, sqrt, __builtin_sqrtf(x))
TENON_RANGE(float, rsqrt, 1.0f / __builtin_sqrtf(x))

TENON_RANGE_WHERE(float, log, log_f32(x), x >= 1.17549435e-38f && x <= 3.4028234e38f, __builtin_logf(x))
TENON_RANGE_WHERE(float, log1p, (x == 0 ? x : log1p_f32(x)), x >= -0.9999999f && x <= 3.4028234e38f, __builtin_log1pf(x))
TENON_RANGE_WHERE(float, sin, (x == 0 ? x : wave_f32(x, 0)), __builtin_fabsf(x) <= kWaveReach, __builtin_sinf(x))
TENON_RANGE_WHERE(float, cos, wave_f32(x, 1), __builtin_fabsf(x) <= kWaveReach, __builtin_cosf(x))
TENON_RANGE_WHERE(float, tan, (x == 0 ? x : tan_f32(x)), __builtin_fabsf(x) <= kWaveReach, __builtin_tanf(x))
TENON_RANGE_WHERE(float, power_of_any, pow_f32(x, a), x > 0 && x <= 3.4028234e38f, __builtin_powf(x, a))

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
  else if (__builtin_fabs(args.a) <= 3.4028234e38) power_of_any_range(args, n, from, to);
  else
    for (std::int64_t i = 0; i < n; ++i) to[i] = __builtin_powf(from[i], float(args.a));
}

TENON_RANGE_OF_TWO(float, atan2, atan2_of(x, y))
TENON_RANGE_OF_TWO(float, hypot, hypot_of(x, y))
TENON_RANGE_OF_TWO(float, gelu_gradient, y * gelu_slope(x))
TENON_RANGE_OF_TWO(float, gelu_tanh_gradient, y * gelu_tanh_slope(x))
TENON_RANGE_OF_TWO_WHERE(float, pow, pow_f32(x, y), x > 0 && x <= 3.4028234e38f && __builtin_fabsf(y) <= 3.4028234e38f, __builtin_powf(x, y))

}  // namespace tenon::TENON_ISA
