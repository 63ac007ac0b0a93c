/// The fast activations against the C library in double, and the dense f32 passes against f64.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "core/ops/gradient_check.hpp"
#include "kernels/activation.hpp"

using namespace tenon;

TEST_CASE("sigmoid, tanh and erf keep their promised distance from the exact values", "[activation]") {
  for (double at = -30; at <= 30; at += 0.00137) {
    const float x = float(at);
    const double s = 1 / (1 + std::exp(-double(x))), t = std::tanh(double(x)), e = std::erf(double(x));
    INFO(at);
    REQUIRE(std::abs(double(sigmoid_fast(x)) - s) <= 5e-7 * s);
    REQUIRE(std::abs(double(tanh_fast(x)) - t) <= 5e-7 * std::abs(t));
    REQUIRE(std::abs(double(erf_fast(x)) - e) <= 6e-7 * std::abs(e));
  }
  for (float tiny : {1e-3f, -1e-10f, 1e-30f}) {
    REQUIRE(std::abs(double(tanh_fast(tiny)) / double(tiny) - std::tanh(double(tiny)) / double(tiny)) < 5e-7);
    REQUIRE(std::abs(double(erf_fast(tiny)) / double(tiny) - std::erf(double(tiny)) / double(tiny)) < 5e-7);
  }
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(tanh_fast(infinity) == 1);
  CHECK(tanh_fast(-infinity) == -1);
  CHECK(sigmoid_fast(-infinity) == 0);
  CHECK(sigmoid_fast(infinity) == 1);
  CHECK(std::abs(erf_fast(infinity) - 1) < 2e-7f);
  CHECK(std::isnan(tanh_fast(nan)));
  CHECK(std::isnan(erf_fast(nan)));
  CHECK(std::isnan(sigmoid_fast(nan)));
}

TEST_CASE("both forms of gelu, and relu, with their gradients in f32 follow f64, dense or not", "[activation]") {
  auto compare = [](const check::Function& f, const Tensor& x) {
    std::vector<Tensor> narrow = check::with_gradients(f, {x.to(DType::f32)}), wide = check::with_gradients(f, {x});
    for (std::size_t i = 0; i < wide.size(); ++i) check::require_close(narrow[i].to_vector(), wide[i].to_vector(), 2e-6);
  };
  Tensor x = check::spread({3, 9001}, -6, 6);  // more than a task
  for (const auto& f : {check::Function([](const std::vector<Tensor>& v) { return gelu(v[0]); }),
                        check::Function([](const std::vector<Tensor>& v) { return gelu_tanh(v[0]); }),
                        check::Function([](const std::vector<Tensor>& v) { return relu(v[0]); })}) {
    compare(f, x);
    compare([&](const std::vector<Tensor>& v) { return f({v[0].transpose(0, 1)}); }, x);
  }
}

TEST_CASE("gelu's form by tanh is its formula, near zero and far from it", "[activation]") {
  for (double at = -12; at <= 12; at += 0.00371) {
    const double c = std::sqrt(2 / std::acos(-1.0)), u = c * (at + 0.044715 * at * at * at), t = std::tanh(u);
    const double value = 0.5 * at * (1 + t), slope = 0.5 * (1 + t) + 0.5 * at * (1 - t * t) * c * (1 + 3 * 0.044715 * at * at);
    INFO(at);
    REQUIRE(std::abs(gelu_tanh_fast(at) - value) <= 1e-14);
    REQUIRE(std::abs(gelu_tanh_slope(at) - slope) <= 1e-14);
    REQUIRE(std::abs(double(gelu_tanh_fast(float(at))) - value) <= 1e-6 * std::max(1.0, std::abs(at)));
    REQUIRE(std::abs(double(gelu_tanh_slope(float(at))) - slope) <= 1e-6);
  }
  const float far = 1e30f, infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(gelu_tanh_fast(far) == far);
  CHECK(gelu_tanh_fast(-far) == 0);
  CHECK(gelu_tanh_fast(infinity) == infinity);
  CHECK(gelu_tanh_slope(far) == 1);
  CHECK(std::abs(gelu_tanh_slope(-far)) < 1e-30f);
  CHECK(gelu_tanh_slope(double(infinity)) == 1);
  CHECK(std::isnan(gelu_tanh_fast(nan)));
  CHECK(std::isnan(gelu_tanh_slope(nan)));
}

TEST_CASE("gelu gives the same bits for any number of threads", "[activation][threads]") {
  check::same_bits([] {
    return check::with_gradients([](const std::vector<Tensor>& v) { return gelu(v[0]) + gelu_tanh(v[0]); }, {check::spread({50000}, -4, 4, DType::f32)});
  });
}
