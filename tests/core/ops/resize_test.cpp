/// Resizing against PyTorch, closed forms, the transpose identity and differences; wrong use.
#include "core/ops/gradient_check.hpp"
#include "golden/fused_ops.hpp"

using namespace tenon;
using check::made;

TEST_CASE("resizing agrees with PyTorch in double, with gradients", "[resize]") {
  auto x = check::leaves({made(5, {1, 5, 6, 2})});
  auto matches = [](const Tensor& y, const std::vector<Tensor>& in, const std::vector<double>& value, const std::vector<double>& d) {
    check::require_close(y.to_vector(), value, 1e-13);
    check::require_close(gradients({y}, in, {made(9, y.shape())})[0].to_vector(), d, 1e-13);
  };
  matches(resize(x[0], {8, 4}, Interpolation::linear), x, golden::resize_linear, golden::resize_linear_d0);
  matches(resize(x[0], {8, 4}, Interpolation::nearest), x, golden::resize_nearest, golden::resize_nearest_d0);
  auto w = check::leaves({made(6, {1, 3, 4, 2, 1})});
  matches(resize(w[0], {5, 3, 4}, Interpolation::linear), w, golden::resize_trilinear, golden::resize_trilinear_d0);
}

TEST_CASE("resizing to the same size copies, and a linear ramp stays one inside", "[resize]") {
  Tensor x = made(1, {2, 3, 4, 5, 2});
  for (Interpolation mode : {Interpolation::nearest, Interpolation::linear})
    REQUIRE(resize(x, {3, 4, 5}, mode).to_vector() == x.to_vector());
  Tensor ramp = Tensor::arange(8).to(DType::f64).reshape({1, 8, 1});
  std::vector<double> y = resize(ramp, {16}, Interpolation::linear).to_vector();
  for (std::size_t i = 1; i + 1 < 16; ++i) REQUIRE(y[i] == Approx((double(i) + 0.5) / 2 - 0.5));
  REQUIRE(y[0] == 0);
  REQUIRE(y[15] == 7);
  REQUIRE(resize(ramp, {4}, Interpolation::nearest).to_vector() == std::vector<double>{1, 3, 5, 7});
}

TEST_CASE("every type resizes as f64 does, rounded", "[resize]") {
  for (std::int64_t C : {1, 20, 130}) {
    Tensor x = random_normal({2, 4, 5, 3, C}, 1, std::uint64_t(C)).to(DType::bf16);
    std::vector<double> exact = resize(x.to(DType::f64), {7, 3, 6}, Interpolation::linear).to_vector();
    check::require_close(resize(x.to(DType::f32), {7, 3, 6}, Interpolation::linear).to_vector(), exact, 1e-6);
    check::require_close(resize(x, {7, 3, 6}, Interpolation::linear).to_vector(), exact, 4e-3);
  }
}

TEST_CASE("the gradient of resizing is its exact transpose", "[resize][gradient]") {
  for (Interpolation mode : {Interpolation::nearest, Interpolation::linear})
    for (std::int64_t size : {1, 3, 5, 12}) {
      auto x = check::leaves({made(1, {2, 5, 4, 3})});
      Tensor y = resize(x[0], {size, 6}, mode), v = made(2, y.shape());
      double forward = sum(y * v).item(), back = sum(x[0] * gradients({y}, x, {v})[0]).item();
      REQUIRE(forward == Approx(back).epsilon(1e-13));
      check::first_gradients([&](auto& in) { return resize(in[0], {size, 6}, mode); }, {made(1, {1, 5, 4, 2})});
      check::second_gradients([&](auto& in) { return square(resize(in[0], {size, 6}, mode)); }, {made(1, {1, 5, 4, 2})});
    }
}

TEST_CASE("resizing gives the same bits for every thread count", "[resize][determinism]") {
  Tensor x = random_normal({2, 11, 12, 13, 5}, 1, 1);
  for (Interpolation mode : {Interpolation::nearest, Interpolation::linear})
    check::same_bits([&] { return check::with_gradients([&](auto& v) { return resize(v[0], {17, 7, 20}, mode); }, {x}); });
}

TEST_CASE("resizing says what is wrong", "[resize][misuse]") {
  Tensor x = made(1, {2, 5, 4, 3}, DType::f32);
  check::refuses([&] { resize(x, {4}, Interpolation::linear); }, "resize", {"[4]", "2 spatial axes", "[2, 5, 4, 3]"});
  check::refuses([&] { resize(x, {4, 0}, Interpolation::linear); }, "resize", {"[4, 0]"});
  check::refuses([&] { resize(x.to(DType::u8), {4, 4}, Interpolation::nearest); }, "resize", {"u8"});
  check::refuses([&] { resize(made(1, {2, 3}, DType::f32), {}, Interpolation::nearest); }, "resize", {"[2, 3]", "spatial"});
}
