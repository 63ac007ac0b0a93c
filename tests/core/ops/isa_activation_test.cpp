/// The f32 functions of every instruction set that this CPU has, against the C library in double.
#include <catch2/catch.hpp>

#include "core/ops/ulps.hpp"
#include "kernels/elementwise.hpp"

#define TENON_ISA_FILE "ops/simd/activation.inl"
#include "kernels/foreach_isa.hpp"

using namespace tenon;

namespace {

using Range = void (*)(kernels::UnaryArgs, std::int64_t, const float*, float*);
using RangeOfTwo = void (*)(std::int64_t, const float*, const float*, float*);

void near(const char* name, Range range, double (*exact)(double), double most) {
  std::vector<float> x = check::numbers<float>(600), y(x.size());
  range({}, std::int64_t(x.size()), x.data(), y.data());
  for (std::size_t i = 0; i < x.size(); ++i) {
    INFO(name << " of " << x[i] << " is " << y[i] << ", not " << exact(double(x[i])));
    REQUIRE(check::ulps(y[i], exact(double(x[i]))) <= most);
  }
}

void near(const char* name, RangeOfTwo range, double (*exact)(double, double), double most) {
  std::vector<float> x, y;
  for (float a : check::special_numbers<float>())
    for (float b : check::special_numbers<float>()) x.push_back(a), y.push_back(b);
  const std::vector<float> others = check::numbers<float>(400);
  for (std::size_t i = 0; i < others.size(); ++i) x.push_back(others[i]), y.push_back(others[i * 7 % others.size()]);
  std::vector<float> z(x.size());
  range(std::int64_t(x.size()), x.data(), y.data(), z.data());
  for (std::size_t i = 0; i < x.size(); ++i) {
    INFO(name << " of " << x[i] << " and " << y[i] << " is " << z[i] << ", not " << exact(double(x[i]), double(y[i])));
    REQUIRE(check::ulps(z[i], exact(double(x[i]), double(y[i]))) <= most);
  }
}

#define TENON_NEAR_LIBRARY(isa)                     \
  near("sin", isa::sin_range, std::sin, 1.5);       \
  near("cos", isa::cos_range, std::cos, 1.5);       \
  near("tan", isa::tan_range, std::tan, 1);         \
  near("asin", isa::asin_range, std::asin, 0.75);   \
  near("acos", isa::acos_range, std::acos, 0.75);   \
  near("atan", isa::atan_range, std::atan, 1.75);   \
  near("sinh", isa::sinh_range, std::sinh, 2.25);   \
  near("cosh", isa::cosh_range, std::cosh, 1.75);   \
  near("atan2", isa::atan2_range, std::atan2, 2);   \
  near("hypot", isa::hypot_range, std::hypot, 1.5); \
  near("pow", isa::pow_range, std::pow, 0.75);

}  // namespace

TEST_CASE("f32 functions of every instruction set are near the C library's", "[elementwise][isa]") {
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
