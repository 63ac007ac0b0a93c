/// Resizing against PyTorch, closed forms, the transpose identity and differences; wrong use.
#include <algorithm>
#include <array>
#include <cmath>

#include "core/ops/gradient_check.hpp"
#include "golden/fused_ops.hpp"
#include "kernels/resize.hpp"

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

namespace {

/// Two axes of x [N, H, W, C] by their taps, one by one.
std::vector<double> plain_resize(const Tensor& x, std::int64_t height, std::int64_t width, bool linear) {
  const std::vector<double> v = x.to_vector();
  const std::int64_t H = x.size(1), W = x.size(2), C = x.size(3);
  std::vector<double> y;
  for (std::int64_t n = 0; n < x.size(0); ++n)
    for (std::int64_t i = 0; i < height; ++i)
      for (std::int64_t j = 0; j < width; ++j) {
        const ResizeTaps a = resize_taps(i, H, height, linear), b = resize_taps(j, W, width, linear);
        auto at = [&](std::int64_t row, std::int64_t column, std::int64_t c) {
          return v[std::size_t(((n * H + row) * W + column) * C + c)];
        };
        for (std::int64_t c = 0; c < C; ++c) {
          double sum = 0;
          for (const auto& [row, w] : {std::pair(a.low, 1 - a.high_weight), std::pair(a.high, a.high_weight)})
            for (const auto& [column, u] : {std::pair(b.low, 1 - b.high_weight), std::pair(b.high, b.high_weight)})
              if (w * u != 0) sum += w * u * at(row, column, c);
          y.push_back(sum);
        }
      }
  return y;
}

/// The largest difference, beside 1 and the value.
double worst(const std::vector<double>& got, const std::vector<double>& expected) {
  double most = got.size() == expected.size() ? 0 : INFINITY;
  for (std::size_t i = 0; most < INFINITY && i < got.size(); ++i)
    most = std::max(most, std::abs(got[i] - expected[i]) / (1 + std::abs(expected[i])));
  return most;
}

}  // namespace

TEST_CASE("rows of any channels and lengths, grown and shrunk, are resized by their taps", "[resize]") {
  const std::vector<std::array<std::int64_t, 4>> sizes{{3, 5, 7, 11},  {2, 900, 3, 1100}, {9, 64, 2, 3},
                                                       {1, 40, 1, 90}, {2, 33, 4, 20},    {6, 5, 6, 5}};
  for (DType type : {DType::f32, DType::bf16, DType::f64})
    for (std::int64_t C : {1, 3, 4, 5, 18, 700})
      for (const auto& [height, width, to_height, to_width] : sizes) {
        if (C == 700 && width > 100) continue;
        INFO(name_of(type) << ", " << C << " channels, " << height << " by " << width << " to " << to_height << " by " << to_width);
        Tensor x = random_normal({2, height, width, C}, 1, std::uint64_t(C)).to(type);
        const double bound = type == DType::bf16 ? 4e-3 : type == DType::f32 ? 5e-7 : 1e-15;
        for (bool linear : {true, false}) {
          const Interpolation mode = linear ? Interpolation::linear : Interpolation::nearest;
          auto leaf = check::leaves({x});
          Tensor y = resize(leaf[0], {to_height, to_width}, mode);
          REQUIRE(worst(y.to_vector(), plain_resize(x, to_height, to_width, linear)) <= bound);
          if (type == DType::f64 || C > 20) continue;
          auto wide = check::leaves({x.to(DType::f64)});
          Tensor d = random_normal(y.shape(), 1, 7).to(type);
          REQUIRE(worst(gradients({y}, leaf, {d})[0].to_vector(),
                        gradients({resize(wide[0], {to_height, to_width}, mode)}, wide, {d.to(DType::f64)})[0].to_vector()) <= 4 * bound);
        }
      }
}

TEST_CASE("an infinity reaches only what it has a weight in", "[resize]") {
  Tensor x = Tensor::zeros({1, 8, 8, 1});
  x.narrow(1, 4, 1).narrow(2, 4, 1).fill(INFINITY);
  const std::vector<double> y = resize(x, {16, 16}, Interpolation::linear).to_vector();
  for (std::size_t i = 0; i < y.size(); ++i) {
    const bool near = i / 16 >= 7 && i / 16 <= 10 && i % 16 >= 7 && i % 16 <= 10;
    REQUIRE(y[i] == (near ? INFINITY : 0));
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

TEST_CASE("nearest voxels are those of every type, row and number of channels", "[resize]") {
  for (DType type : {DType::f32, DType::bf16, DType::f64})
    for (std::int64_t C : {1, 2, 3, 4, 5, 40})
      for (std::int64_t out : {std::int64_t(3), std::int64_t(9), 25000 / C}) {
        INFO(name_of(type) << ", " << C << " channels, " << out << " voxels");
        const Tensor x = random_normal({2, 2, 7, C}, 1, 1).to(type), y = resize(x, {3, out}, Interpolation::nearest);
        std::vector<double> v = x.to_vector(), expected;
        for (std::int64_t n = 0; n < 2; ++n)
          for (std::int64_t i = 0; i < 3; ++i)
            for (std::int64_t j = 0; j < out; ++j)
              for (std::int64_t c = 0; c < C; ++c)
                expected.push_back(v[std::size_t(((n * 2 + (2 * i + 1) * 2 / 6) * 7 + (2 * j + 1) * 7 / (2 * out)) * C + c)]);
        REQUIRE(y.to_vector() == expected);
      }
}
