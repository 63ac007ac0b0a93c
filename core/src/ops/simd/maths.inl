// Dense f64 ranges of functions that cost much a value, and the gamma function's kin; see kernels/maths_f64.hpp, kernels/angles.hpp and kernels/gamma.hpp.
#include "kernels/gamma.hpp"
#include "kernels/maths_f64.hpp"
#include "ops/range_loops.hpp"

namespace tenon::TENON_ISA {

TENON_RANGE(double, exp, exp_f64(x))
TENON_RANGE(double, expm1, expm1_f64(x))
TENON_RANGE(double, atan, atan_of(x))
TENON_RANGE(double, asin, asin_of(x))
TENON_RANGE(double, acos, acos_of(x))
TENON_RANGE(double, sinh, sinh_of(x))
TENON_RANGE(double, cosh, cosh_of(x))
TENON_RANGE(double, tanh, tanh_f64(x))
TENON_RANGE(double, erf, erf_f64(x))
TENON_RANGE(double, sigmoid, sigmoid_f64(x))
TENON_RANGE(double, silu, x * sigmoid_f64(x))
TENON_RANGE(double, softplus, softplus_f64(x))
TENON_RANGE(double, elu, (x > 0 ? x : a * expm1_f64(x > 0 ? 0.0 : x)))
TENON_RANGE(double, elu_d1, (x > 0 ? 1.0 : a * exp_f64(x > 0 ? 0.0 : x)))
TENON_RANGE(double, gelu, gelu_f64(x))
TENON_RANGE(double, gelu_d1, gelu_slope_f64(x))
TENON_RANGE(double, sqrt, __builtin_sqrt(x))
TENON_RANGE(double, rsqrt, 1.0 / __builtin_sqrt(x))

TENON_RANGE_WHERE(double, log, log_f64(x), x >= 2.2250738585072014e-308 && x <= 1.7976931348623157e308, __builtin_log(x))
TENON_RANGE_WHERE(double, log1p, log1p_f64(x), x > -1.0 && x <= 1.7976931348623157e308, __builtin_log1p(x))
TENON_RANGE_WHERE(double, sin, (x == 0 ? x : wave_f64(x, 0)), __builtin_fabs(x) <= kWaveReachF64, __builtin_sin(x))
TENON_RANGE_WHERE(double, cos, wave_f64(x, 1), __builtin_fabs(x) <= kWaveReachF64, __builtin_cos(x))
TENON_RANGE_WHERE(double, tan, (x == 0 ? x : tan_f64(x)), __builtin_fabs(x) <= kWaveReachF64, __builtin_tan(x))
TENON_RANGE_WHERE(double, digamma, digamma_f64(x), gamma_domain(x), kernels::polygamma_of<0>(x))
TENON_RANGE_WHERE(double, trigamma, trigamma_f64(x), gamma_domain(x), kernels::polygamma_of<1>(x))

TENON_RANGE_WHERE(double, power_of_any, pow_f64(x, a), x >= 2.2250738585072014e-308 && x <= 1.7976931348623157e308, __builtin_pow(x, a))

/// x to the power a, products and quotients where it is one.
inline void power_range(kernels::UnaryArgs args, std::int64_t n, const double* __restrict from, double* __restrict to) {
  if (args.a == 2)
    for (std::int64_t i = 0; i < n; ++i) to[i] = from[i] * from[i];
  else if (args.a == -1)
    for (std::int64_t i = 0; i < n; ++i) to[i] = 1.0 / from[i];
  else if (__builtin_fabs(args.a) <= 1.7976931348623157e308)
    power_of_any_range(args, n, from, to);
  else
    for (std::int64_t i = 0; i < n; ++i) to[i] = __builtin_pow(from[i], args.a);
}

TENON_RANGE_OF_TWO(double, atan2, atan2_of(x, y))
TENON_RANGE_OF_TWO(double, hypot, hypot_of(x, y))
TENON_RANGE_OF_TWO(double, gelu_gradient, y * gelu_slope_f64(x))
TENON_RANGE_OF_TWO_WHERE(double, pow, pow_f64(x, y), x >= 2.2250738585072014e-308 && x <= 1.7976931348623157e308 && __builtin_fabs(y) <= 1.7976931348623157e308, __builtin_pow(x, y))

/// f32 in double.
TENON_RANGE_WHERE(float, lgamma_f32, float(log_gamma_f32(double(x))), gamma_domain(double(x)) && (x > 0 || __builtin_fabsf(y) > 0.01f),
                  float(kernels::log_gamma_of(double(x))))
TENON_RANGE_WHERE(float, digamma_f32, float(digamma_f64(double(x))), gamma_domain(double(x)), float(kernels::polygamma_of<0>(double(x))))
TENON_RANGE_WHERE(float, trigamma_f32, float(trigamma_f64(double(x))), gamma_domain(double(x)), float(kernels::polygamma_of<1>(double(x))))

}  // namespace tenon::TENON_ISA
