/// Resizing by name against PyTorch and closed forms; channels to space and back.
#include "core/grid_golden.hpp"
#include "tenon/resizing.hpp"

using namespace tenon;
using check::made;

TEST_CASE("resizing kernels agree with PyTorch in double, with gradients", "[resize]") {
  const Shape s{1, 5, 4, 2}, volume{1, 3, 4, 2, 1};
  using M = ResizeMode;
  auto to = [](std::vector<std::int64_t> size, ResizeOptions o) { return [=](const Tensor& x) { return resize(x, size, o); }; };
  golden::matches("resize_cubic", to({8, 3}, {M::cubic}), 5, s);
  golden::matches("resize_cubic_corners", to({8, 3}, {M::cubic, true}), 5, s);
  golden::matches("resize_linear_corners", to({4, 6, 1}, {M::linear, true}), 6, volume);
  golden::matches("resize_linear_antialias", to({2, 7}, {M::linear, false, true}), 5, s);
  golden::matches("resize_cubic_antialias_grows", to({2, 9}, {M::cubic, false, true}), 5, s);
  golden::matches("resize_catmull_rom_antialias", to({3, 2}, {M::catmull_rom, false, true}), 5, s);
  golden::matches("resize_area", to({2, 3}, {M::area}), 5, s);
  golden::matches("depth_to_space", [](auto& x) { return depth_to_space(x, {2, 2}); }, 7, {1, 2, 3, 12});
}

TEST_CASE("Catmull-Rom is exact for quadratics away from the edge, in one to three axes", "[resize]") {
  for (int axes : {1, 2, 3}) {
    Shape s{1};
    for (int a = 0; a < axes; ++a) s.push_back(8);
    s.push_back(1);
    std::vector<double> v;
    auto f = [&](std::int64_t i, double scale) {  // a product of quadratics in every axis
      double p = 1;
      for (int a = 0; a < axes; ++a, i /= std::int64_t(8 / scale)) {
        const double x = (double(i % std::int64_t(8 / scale)) + 0.5) * scale;
        p *= 0.3 * x * x - x + 2;
      }
      return p;
    };
    for (std::int64_t i = 0; i < s.numel(); ++i) v.push_back(f(i, 1));
    const std::vector<std::int64_t> size(std::size_t(axes), 16);
    std::vector<double> y = resize(Tensor::from(v, s), size, {ResizeMode::catmull_rom}).to_vector();
    for (std::int64_t i = 0; i < std::int64_t(y.size()); ++i) {
      bool inside = true;
      for (std::int64_t k = i, a = 0; a < axes; ++a, k /= 16) inside = inside && k % 16 >= 4 && k % 16 < 12;
      if (inside) REQUIRE(y[std::size_t(i)] == Approx(f(i, 0.5)).epsilon(1e-12));
    }
  }
}

TEST_CASE("16-bit types are resized with one rounding", "[resize]") {
  Tensor x = random_normal({2, 9, 7, 5}, 1, 1).to(DType::bf16);
  for (ResizeMode mode : {ResizeMode::cubic, ResizeMode::area}) {
    Tensor y = resize(x, {5, 11}, {mode}), wide = resize(x.to(DType::f32), {5, 11}, {mode});
    REQUIRE(y.dtype() == DType::bf16);
    REQUIRE(y.to_vector() == wide.to(DType::bf16).to_vector());
  }
}

TEST_CASE("space to depth undoes depth to space", "[resize]") {
  for (const auto& [shape, factors] :
       {std::pair<Shape, std::vector<std::int64_t>>{{2, 5, 6}, {3}}, {{1, 2, 3, 12}, {3, 2}}, {{1, 2, 3, 2, 24}, {2, 3, 1}}}) {
    Tensor x = made(1, shape), y = depth_to_space(x, factors);
    REQUIRE(y.numel() == x.numel());
    REQUIRE(y.size(1) == x.size(1) * factors[0]);
    REQUIRE(space_to_depth(y, factors).to_vector() == x.to_vector());
  }
}

TEST_CASE("resizing kernels give the same bits for every thread count", "[resize][determinism]") {
  Tensor x = random_normal({2, 21, 22, 23, 3}, 1, 1);
  for (ResizeMode mode : {ResizeMode::cubic, ResizeMode::area})
    check::same_bits([&] { return check::with_gradients([&](auto& v) { return resize(v[0], {37, 17, 30}, {mode}); }, {x}); });
}

TEST_CASE("resizing by name says what is wrong", "[resize][misuse]") {
  Tensor x = made(1, {2, 5, 4, 3}, DType::f32);
  check::refuses([&] { resize(x, {4}, {ResizeMode::cubic}); }, "resize", {"[4]", "2 spatial axes", "[2, 5, 4, 3]"});
  check::refuses([&] { resize(x, {4, 4}, {ResizeMode::area, true}); }, "resize", {"align_corners"});
  check::refuses([&] { resize(x, {4, 4}, {ResizeMode::cubic, true, true}); }, "resize", {"together"});
  check::refuses([&] { resize(x.to(DType::u8), {4, 4}, {ResizeMode::cubic}); }, "resize", {"u8"});
  check::refuses([&] { depth_to_space(x, {2, 2}); }, "depth_to_space", {"3 channels", "[2, 2]"});
  check::refuses([&] { space_to_depth(x, {2, 2}); }, "space_to_depth", {"spatial axis 0", "[2, 5, 4, 3]"});
  check::refuses([&] { resize_mode("bicubic"); }, "resize_mode", {"bicubic", "'cubic'"});
}

TEST_CASE("factors whose product fits no size are refused", "[resize_modes][misuse]") {
  const std::int64_t f = std::int64_t(1) << 30;
  for (std::int64_t channels : {1, 0}) {
    const Tensor x = Tensor::full({1, 2, 2, 2, channels}, 1);
    check::refuses([&] { depth_to_space(x, {f, f, f}); }, "depth_to_space", {"does not fit 63 bits"});
  }
  check::refuses([&] { space_to_depth(Tensor::zeros({1, 0, 0, 0, 1}), {f, f, f}); }, "space_to_depth", {"does not fit 63 bits"});
  check::refuses([&] { resize(Tensor::full({1, 2, 2, 2, 8}, 1), {f, f, f}, Interpolation::linear); }, "resize", {"does not fit an address space"});
}
