/// Functions of f32 over all of float, against the C library in double: a sample of every sign, exponent and significand.
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <limits>

#include "core/ops/ulps.hpp"
#include "tenon/complex.hpp"
#include "tenon/ops.hpp"

using namespace tenon;

namespace {

std::vector<float> sample(float low, float high) {
  std::vector<float> x;
  for (std::uint64_t bits = 0; bits < (std::uint64_t(1) << 32); bits += 4099) {
    const float v = std::bit_cast<float>(std::uint32_t(bits));
    if (v != v || (v >= low && v <= high)) x.push_back(v);
  }
  for (float v : {0.0f, -0.0f, 1.0f, -1.0f, INFINITY, -INFINITY, NAN, std::numeric_limits<float>::denorm_min(), std::numeric_limits<float>::max(), std::numeric_limits<float>::lowest(),
                  88.72f, 88.73f, -87.4f, -103.9f, -104.5f, 0.70710677f, 1.4142135f})
    if (v != v || (v >= low && v <= high)) x.push_back(v);
  return x;
}

template <class Exact>
double worst(Tensor (*f)(const Tensor&), Exact exact, float low = -INFINITY, float high = INFINITY) {
  const std::vector<float> x = sample(low, high);
  const Tensor y = f(Tensor::from(x, {std::int64_t(x.size())}));
  double most = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double e = exact(double(x[i]));
    const double u = check::ulps(y.data<float>()[i], e);
    if (u > most) {
      most = u;
      UNSCOPED_INFO("at " << x[i] << ": " << y.data<float>()[i] << " for " << e << ", " << u << " ulp");
    }
  }
  return most;
}

}  // namespace

TEST_CASE("f32 functions are near the exact value over all of float", "[elementwise][range][slow]") {
  CHECK(worst(exp, [](double v) { return std::exp(v); }) <= 2);
  CHECK(worst(expm1, [](double v) { return std::expm1(v); }) <= 2);
  CHECK(worst(log, [](double v) { return std::log(v); }) <= 2);
  CHECK(worst(log1p, [](double v) { return std::log1p(v); }) <= 2);
  CHECK(worst(tanh, [](double v) { return std::tanh(v); }) <= 4);
  CHECK(worst(sigmoid, [](double v) { return 1 / (1 + std::exp(-v)); }, -87) <= 4);
  CHECK(worst(silu, [](double v) { return v / (1 + std::exp(-v)); }, -87, 3e38f) <= 4);
  CHECK(worst(softplus, [](double v) { return v > 40 ? v : std::log1p(std::exp(v)); }, -87) <= 4);
  CHECK(worst(sin, [](double v) { return std::sin(v); }) <= 1.5);
  CHECK(worst(cos, [](double v) { return std::cos(v); }) <= 1.5);
  CHECK(worst(tan, [](double v) { return std::tan(v); }) <= 1);
  CHECK(worst(asin, [](double v) { return std::asin(v); }) <= 0.75);
  CHECK(worst(acos, [](double v) { return std::acos(v); }) <= 0.75);
  CHECK(worst(atan, [](double v) { return std::atan(v); }) <= 1.5);
  CHECK(worst(sinh, [](double v) { return std::sinh(v); }) <= 2.25);
  CHECK(worst(cosh, [](double v) { return std::cosh(v); }) <= 1.75);
  CHECK(worst(lgamma, [](double v) { return std::lgamma(v); }) <= 0.75);
  CHECK(worst(sqrt, [](double v) { return std::sqrt(v); }) <= 0.5);
  CHECK(worst(rsqrt, [](double v) { return 1 / std::sqrt(v); }) <= 1.5);
}

TEST_CASE("powers by a few exponents are products and quotients", "[elementwise][range]") {
  for (double exponent : {1.0, 2.0, 3.0, -1.0, -2.0, 0.5, 2.5}) {
    const std::vector<float> x = sample(-INFINITY, INFINITY);
    const Tensor y = pow(Tensor::from(x, {std::int64_t(x.size())}), exponent);
    double most = 0;
    for (std::size_t i = 0; i < x.size(); ++i) most = std::max(most, check::ulps(y.data<float>()[i], std::pow(double(x[i]), exponent)));
    INFO(exponent);
    CHECK(most <= 1);
  }
}

TEST_CASE("functions give a number the same bits wherever it lies", "[elementwise][range]") {
  using Function = Tensor (*)(const Tensor&);
  using FunctionOfTwo = Tensor (*)(const Tensor&, const Tensor&);
  const std::vector<FunctionOfTwo> functions_of_two{pow, atan2, hypot};
  const std::vector<Function> functions{exp,  expm1, log,  log1p, sin,    cos,     tan,     asin, acos,     atan,
                                        sinh, cosh,  tanh, erf,   lgamma, digamma, sigmoid, silu, softplus, gelu};
  for (DType type : {DType::f32, DType::f64, DType::bf16}) {
    const Tensor x = random_uniform({1, 61}, 3, 4, -1, 3).to(type), rows = x.expand({35, 61}).clone();
    const Tensor columns = rows.transpose(0, 1).clone().transpose(0, 1), y = add(mul(rows, -0.7), 1.0);
    for (std::size_t i = 0; i < functions.size(); ++i) {
      INFO("function " << i << " of " << name_of(type));
      const std::vector<double> whole = functions[i](rows).to(DType::f64).to_vector();
      REQUIRE(check::bits(functions[i](columns).to(DType::f64).to_vector()) == check::bits(whole));
      REQUIRE(check::bits(functions[i](x).expand({35, 61}).to(DType::f64).clone().to_vector()) == check::bits(whole));
    }
    for (const FunctionOfTwo f : functions_of_two) {
      const std::vector<double> whole = f(rows, y).to(DType::f64).to_vector();
      REQUIRE(check::bits(f(columns, y).to(DType::f64).to_vector()) == check::bits(whole));
      REQUIRE(check::bits(f(x, y.narrow(0, 5, 1)).expand({35, 61}).to(DType::f64).clone().to_vector()) == check::bits(whole));
    }
  }
}

TEST_CASE("the largest of a row is its first place, whatever the block", "[reduce]") {
  for (std::int64_t n : {1, 2, 127, 128, 129, 130, 257, 1000}) {
    std::vector<float> x(std::size_t(n), -3);
    for (std::int64_t at : {std::int64_t(0), n / 3, n / 2, n - 1}) {
      std::vector<float> v = x;
      v[std::size_t(at)] = 5;
      if (at + 1 < n) v[std::size_t(n - 1)] = 5;
      const Tensor t = Tensor::from(v, {1, n});
      CHECK(argmax(t, 1).to_vector()[0] == double(v[0] == 5 ? 0 : at));
      CHECK(max(t, 1).to_vector()[0] == 5);
      CHECK(min(t * -1.0, 1).to_vector()[0] == -5);
      v[std::size_t(at)] = NAN;
      const Tensor with_nan = Tensor::from(v, {1, n});
      CHECK(argmax(with_nan, 1).to_vector()[0] == double(at));
      CHECK(std::isnan(max(with_nan, 1).to_vector()[0]));
      CHECK(std::isnan(min(with_nan, 1).to_vector()[0]));
    }
  }
}
