/// The f64 functions of every instruction set that this CPU has, and the gamma function's kin, against long double.
#include <catch2/catch.hpp>

#include "core/ops/ulps.hpp"
#include "kernels/elementwise.hpp"

#define TENON_ISA_FILE "ops/simd/maths.inl"
#include "kernels/foreach_isa.hpp"

using namespace tenon;

namespace {

using Real = long double;

/// Derivative `order` + 1 of log gamma: carried up by its recurrence, and Stirling's series.
Real polygamma(int order, Real x) {
  const Real pi = 3.14159265358979323846264338327950288L;
  if (x <= 0 && x == std::floor(x)) return order == 1 ? Real(INFINITY) : Real(NAN);
  if (x < 0.5L) {
    const Real s = std::sin(pi * (x - std::round(x))), c = std::cos(pi * (x - std::round(x)));
    return order == 0 ? polygamma(0, 1 - x) - pi * c / s : pi * pi / (s * s) - polygamma(1, 1 - x);
  }
  Real sum = 0;
  for (; x < 30; x += 1) sum += order == 0 ? -1 / x : 1 / (x * x);
  const Real r = 1 / x, q = r * r;
  if (order == 0) return sum + std::log(x) - r / 2 - q * (1.0L / 12 - q * (1.0L / 120 - q * (1.0L / 252 - q / 240)));
  return sum + r + q / 2 + r * q * (1.0L / 6 - q * (1.0L / 30 - q * (1.0L / 42 - q / 30)));
}
Real sigmoid(Real x) {
  return 1 / (1 + std::exp(-x));
}
Real softplus(Real x) {
  return x > 60 ? x : std::log1p(std::exp(x));
}
Real digamma(Real x) {
  return polygamma(0, x);
}
Real trigamma(Real x) {
  return polygamma(1, x);
}

/// `margin`: beside the distance in units, for functions that lose digits near their zeros.
template <class T>
void near(const char* name, void (*range)(kernels::UnaryArgs, std::int64_t, const T*, T*), Real (*exact)(Real), double most,
          double reach = INFINITY, double margin = 0) {
  std::vector<T> x = check::numbers<T>(600);
  if (reach < INFINITY) std::erase_if(x, [&](T v) { return !(std::abs(v) <= T(reach)); });
  std::vector<T> y(x.size());
  range({}, std::int64_t(x.size()), x.data(), y.data());
  for (std::size_t i = 0; i < x.size(); ++i) {
    INFO(name << " of " << x[i] << " is " << y[i] << ", not " << double(exact(Real(x[i]))));
    REQUIRE((check::ulps(y[i], exact(Real(x[i]))) <= most || std::abs(Real(y[i]) - exact(Real(x[i]))) < margin));
  }
}

void near(const char* name, void (*range)(std::int64_t, const double*, const double*, double*), Real (*exact)(Real, Real), double most) {
  const std::vector<double> all = check::numbers<double>(8);
  for (double x : all) {
    const std::vector<double> xs(all.size(), x);
    std::vector<double> z(all.size());
    range(std::int64_t(all.size()), xs.data(), all.data(), z.data());
    for (std::size_t i = 0; i < z.size(); ++i) {
      INFO(name << " of " << x << " and " << all[i] << " is " << z[i] << ", not " << double(exact(Real(x), Real(all[i]))));
      REQUIRE(check::ulps(z[i], exact(Real(x), Real(all[i]))) <= most);
    }
  }
}

#define TENON_NEAR_LIBRARY(isa)                                        \
  near<double>("exp", isa::exp_range, std::exp, 1);                    \
  near<double>("expm1", isa::expm1_range, std::expm1, 2);              \
  near<double>("log", isa::log_range, std::log, 1);                    \
  near<double>("log1p", isa::log1p_range, std::log1p, 1.5);            \
  near<double>("sin", isa::sin_range, std::sin, 1);                    \
  near<double>("cos", isa::cos_range, std::cos, 1);                    \
  near<double>("tan", isa::tan_range, std::tan, 2.5);                  \
  near<double>("asin", isa::asin_range, std::asin, 2.25);              \
  near<double>("acos", isa::acos_range, std::acos, 1.25);              \
  near<double>("atan", isa::atan_range, std::atan, 2);                 \
  near<double>("sinh", isa::sinh_range, std::sinh, 2.5);               \
  near<double>("cosh", isa::cosh_range, std::cosh, 1.75);              \
  near<double>("tanh", isa::tanh_range, std::tanh, 2.5);               \
  near<double>("erf", isa::erf_range, std::erf, 2);                    \
  near<double>("sigmoid", isa::sigmoid_range, sigmoid, 2.25);          \
  near<double>("softplus", isa::softplus_range, softplus, 2);          \
  near<double>("digamma", isa::digamma_range, digamma, 4, 1e5, 1e-14); \
  near<double>("trigamma", isa::trigamma_range, trigamma, 20, 1e5);    \
  near<float>("lgamma", isa::lgamma_f32_range, std::lgamma, 0.75);     \
  near<float>("digamma", isa::digamma_f32_range, digamma, 1, 1e5);     \
  near<float>("trigamma", isa::trigamma_f32_range, trigamma, 1, 1e5);  \
  near("atan2", isa::atan2_range, std::atan2, 2);                      \
  near("hypot", isa::hypot_range, std::hypot, 1.5);                    \
  near("pow", isa::pow_range, std::pow, 1.25);

}  // namespace

TEST_CASE("f64 functions of every instruction set are near those of long double", "[elementwise][isa]") {
  TENON_NEAR_LIBRARY(isa_base)
#if defined(__x86_64__)
  if (isa_level() >= 1) {
    TENON_NEAR_LIBRARY(isa_avx2)
  }
  if (isa_level() >= 2) {
    TENON_NEAR_LIBRARY(isa_avx512)
  }
#endif
}
