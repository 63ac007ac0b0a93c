// Sliding windows against the plain reading of their rules.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "core/ops/gradient_check.hpp"
#include "tenon/error.hpp"
#include "tenon/ops.hpp"
#include "tenon/windows.hpp"

using namespace tenon;
using check::spread;

namespace {

/// The value of x [z, y, x, C] at a place of its spatial axes, 0 beyond.
double at(const std::vector<double>& v, const Shape& s, std::int64_t z, std::int64_t y, std::int64_t x, std::int64_t c) {
  if (z < 0 || z >= s[0] || y < 0 || y >= s[1] || x < 0 || x >= s[2]) return 0;
  return v[std::size_t(((z * s[1] + y) * s[2] + x) * s[3] + c)];
}

const std::vector<WindowPlace> kPlaces{{{0, 0, 0}}, {{-2, 1, 3}}, {{3, 4, 5}, {2}}, {{-3, -1, -2}, {0, 1}}, {{1, 2, 6}, {0, 1, 2}}, {{9, 0, 0}}, {{-40, 0, 0}, {1}}};

}  // namespace

TEST_CASE("a window is what lies there, zeros beyond, backwards where it is flipped") {
  const Tensor x = spread({6, 7, 8, 2}).to(DType::f32);
  const auto v = x.to_vector();
  const Shape size{4, 5, 4, 2};
  for (const DType type : {DType::f32, DType::bf16, DType::f64, DType::u8}) {
    const Tensor given = x.to(type);
    const auto expected = given.to_vector();
    for (const auto& p : kPlaces) {
      const Tensor window = Tensor::full(size, 7, type);
      cut_window(given, p, window);
      const auto got = window.to_vector();
      std::size_t i = 0, wrong = 0;
      bool flipped[3] = {false, false, false};
      for (int axis : p.flipped) flipped[axis] = true;
      for (std::int64_t z = 0; z < 4; ++z)
        for (std::int64_t y = 0; y < 5; ++y)
          for (std::int64_t w = 0; w < 4; ++w)
            for (std::int64_t c = 0; c < 2; ++c)
              wrong += got[i++] != at(expected, given.shape(), p.corner[0] + (flipped[0] ? 3 - z : z), p.corner[1] + (flipped[1] ? 4 - y : y),
                                      p.corner[2] + (flipped[2] ? 3 - w : w), c);
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("windows have as many spatial axes as their array") {
  const Tensor line = Tensor::arange(10).to(DType::f32).reshape({10, 1}), window = Tensor::empty({4, 1});
  cut_window(line, {{8}, {0}}, window);
  CHECK(window.to_vector() == std::vector<double>{0, 0, 9, 8});
  const Tensor plane = Tensor::arange(12).to(DType::f32).reshape({3, 4, 1}), part = Tensor::empty({2, 2, 1});
  cut_window(plane, {{1, -1}}, part);
  CHECK(part.to_vector() == std::vector<double>{0, 4, 0, 8});
}

TEST_CASE("what was cut and added up again is what was there, whatever the weights") {
  const Tensor x = spread({6, 7, 8, 2}).to(DType::f32);
  const Tensor weights = spread({4, 5, 4}, 0.5, 2).to(DType::f32);
  for (const bool weighted : {false, true}) {
    WindowSum sum({6, 7, 8}, 2, kCpu);
    const Tensor window = Tensor::empty({4, 5, 4, 2});
    for (std::int64_t z : {-1, 2})
      for (std::int64_t y : {0, 3})
        for (std::int64_t w : {-2, 1, 4})
          for (const std::vector<int>& flipped : std::vector<std::vector<int>>{{}, {0}, {1, 2}}) {
            const WindowPlace place{{z, y, w}, flipped};
            cut_window(x, place, window);
            sum.add(window, place, weighted ? weights : Tensor());
          }
    const auto got = sum.mean().to_vector(), expected = x.to_vector();
    double worst = 0;
    for (std::size_t i = 0; i < got.size(); ++i) worst = std::max(worst, std::abs(got[i] - expected[i]));
    CHECK(worst < 1e-6);
    CHECK_THROWS_WITH(sum.add(window, kPlaces[0]), Catch::Contains("the mean was taken"));
  }
}

TEST_CASE("a weighted mean of windows: by hand") {
  WindowSum sum({3}, 1, kCpu);
  sum.add(Tensor::from(std::vector<float>{1, 2}, {2, 1}), {{0}}, Tensor::from(std::vector<float>{1, 3}, {2}));
  sum.add(Tensor::from(std::vector<float>{10, 20}, {2, 1}), {{1}, {0}}, Tensor::from(std::vector<float>{5, 1}, {2}));
  // The second window lies backwards, its weights do not: voxel 1 is (3 x 2 + 5 x 20) / 8, voxel 2 the window's first.
  CHECK(sum.mean().to_vector() == std::vector<double>{1, 13.25, 10});
  WindowSum bare({2}, 1, kCpu);
  bare.add(Tensor::from(std::vector<float>{4}, {1, 1}), {{0}});
  CHECK(std::isnan(bare.mean().to_vector()[1]));
}

TEST_CASE("resize_argmax is the argmax of the resized scores") {
  for (const std::int64_t classes : {1, 2, 5}) {
    const Tensor scores = check::made(int(classes), {4, 5, 6, classes}).to(DType::f32);
    for (const std::vector<std::int64_t>& size : std::vector<std::vector<std::int64_t>>{{4, 5, 6}, {7, 10, 13}, {3, 2, 9}, {1, 1, 1}}) {
      const Tensor grown = resize(scores.reshape({1, 4, 5, 6, classes}), size, ResizeOptions{});
      const auto expected = argmax(grown, -1).to_vector();
      CHECK(resize_argmax(scores, size).to_vector() == expected);
    }
  }
  // Nearest along one axis, linear along the other.
  const Tensor plane = Tensor::from(std::vector<float>{0, 1, 4, 0}, {2, 1, 2});
  CHECK(resize_argmax(plane, {4, 1}).to_vector() == std::vector<double>{1, 0, 0, 0});
  CHECK(resize_argmax(plane, {4, 1}, {ResizeMode::nearest, ResizeMode::linear}).to_vector() == std::vector<double>{1, 1, 0, 0});
  // Equal scores: the lower class.
  CHECK(resize_argmax(Tensor::zeros({2, 3}), {5}).to_vector() == std::vector<double>(5, 0));
}

TEST_CASE("windows that cannot be are refused by name") {
  const Tensor x = Tensor::zeros({6, 7, 8, 2}), window = Tensor::zeros({4, 5, 4, 2});
  CHECK_THROWS_WITH(cut_window(x, {{0, 0}}, window), Catch::Contains("cut_window: a corner [0, 0] in 3 spatial axes"));
  CHECK_THROWS_WITH(cut_window(x, {{0, 0, 0}, {3}}, window), Catch::Contains("flipped axis 3"));
  CHECK_THROWS_WITH(cut_window(x, {{0, 0, 0}}, window.to(DType::f64)), Catch::Contains("one element type"));
  CHECK_THROWS_WITH(cut_window(x, {{0, 0, 0}}, Tensor::zeros({4, 5, 4, 3})), Catch::Contains("a window [4, 5, 4, 3] of [6, 7, 8, 2]"));
  CHECK_THROWS_WITH(cut_window(x, {{0, 0, 0}}, window.permute({0, 2, 1, 3})), Catch::Contains("not contiguous"));
  CHECK_THROWS_WITH(cut_window(Tensor::zeros({4}), {{}}, Tensor::zeros({4})), Catch::Contains("1 to 3 spatial axes"));
  for (const std::int64_t far : {std::int64_t(1) << 50, std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()})
    CHECK_THROWS_WITH(cut_window(x, {{far, 0, 0}}, window), Catch::Contains("out of reach"));
  WindowSum sum({6, 7, 8}, 2, kCpu);
  CHECK_THROWS_WITH(sum.add(window.to(DType::bf16), kPlaces[0]), Catch::Contains("WindowSum::add: scores is"));
  CHECK_THROWS_WITH(sum.add(window, kPlaces[0], Tensor::zeros({4, 5})), Catch::Contains("one weight a voxel"));
  CHECK_THROWS_WITH(WindowSum({}, 2, kCpu), Catch::Contains("1 to 3 spatial axes"));
  CHECK_THROWS_WITH(resize_argmax(x, {1, 2}), Catch::Contains("one a spatial axis"));
  CHECK_THROWS_WITH(resize_argmax(x, {1, 2, 0}), Catch::Contains("an axis is empty"));
  CHECK_THROWS_WITH(resize_argmax(x, {1, 2, 3}, std::vector<ResizeMode>(3, ResizeMode::cubic)), Catch::Contains("neither linear nor nearest"));
  CHECK_THROWS_WITH(resize_argmax(Tensor::zeros({2, 300}), {3}), Catch::Contains("1 to 256 classes"));
}
