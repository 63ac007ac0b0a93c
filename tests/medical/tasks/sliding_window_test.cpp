#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <vector>

#include "medical/tasks/sliding_window.hpp"
#include "tenon/error.hpp"
#include "tenon/ops.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using namespace tenon::medical;

namespace {

using Size = std::array<std::int64_t, 3>;

/// Scores that know only their own voxel: [v, 1 - v]. Any window gives the same, so any cover must.
class PointModel final : public nn::Module {
 public:
  Tensor forward(const Tensor& x) override {
    seen.push_back(x.shape());
    return concat({x, x * -1.0 + 1.0}, -1);
  }
  std::vector<Shape> seen;
};

/// Scores that depend on the place in the window along x: mirroring must average them out.
class PlaceModel final : public nn::Module {
 public:
  explicit PlaceModel(std::int64_t n) {
    std::vector<float> ramp;
    for (std::int64_t i = 0; i < n; ++i) ramp.push_back(float(i));
    ramp_ = Tensor::from(ramp, Shape{1, 1, 1, n, 1});
  }
  Tensor forward(const Tensor& x) override {
    const Tensor v = x + ramp_;
    return concat({v, v}, -1);
  }

 private:
  Tensor ramp_;
};

Tensor scan(const Size& s, std::uint64_t seed) {
  std::vector<float> v;
  for (std::int64_t i = 0; i < s[0] * s[1] * s[2]; ++i) v.push_back(Random(seed, 0).uniform(std::uint64_t(i)));
  return Tensor::from(v, Shape{1, s[0], s[1], s[2]});
}

WindowSettings settings() {
  WindowSettings s;
  s.patch = {8, 8, 8};
  s.divisor = 4;
  s.batch = 3;
  return s;
}

}  // namespace

TEST_CASE("windows are spread evenly and end flush") {
  CHECK(window_starts(110, 64, 0.5) == std::vector<std::int64_t>{0, 23, 46});
  CHECK(window_starts(64, 64, 0.5) == std::vector<std::int64_t>{0});
  CHECK(window_starts(65, 64, 0.5) == std::vector<std::int64_t>{0, 1});
  CHECK(window_starts(128, 64, 1.0) == std::vector<std::int64_t>{0, 64});
  CHECK_THROWS_AS(window_starts(10, 64, 0.5), Error);
  CHECK_THROWS_AS(window_starts(64, 64, 0), Error);
}

TEST_CASE("weights peak at 1 in the middle, fall as a Gaussian of patch/8, and are never 0") {
  const auto w = gaussian_weights({16, 24, 32});
  REQUIRE(w.size() == 16 * 24 * 32);
  const auto at = [&](std::size_t z, std::size_t y, std::size_t x) { return double(w[(z * 24 + y) * 32 + x]); };
  CHECK(at(8, 12, 16) == 1);
  CHECK(at(8, 12, 20) == Approx(std::exp(-0.5)));
  CHECK(at(10, 12, 16) == Approx(std::exp(-0.5)));
  CHECK(*std::min_element(w.begin(), w.end()) > 0);
}

TEST_CASE("every voxel gets its own score, whatever the size of the scan") {
  PointModel model;
  const std::vector<Size> sizes{{5, 8, 7}, {10, 9, 8}, {20, 9, 13}, {8, 30, 8}, {3, 40, 11}};
  std::vector<Tensor> images;
  for (std::size_t i = 0; i < sizes.size(); ++i) images.push_back(scan(sizes[i], i));
  std::map<std::size_t, Tensor> scores;
  WindowPlans plans;
  run_windows(
      model, settings(), sizes, [&](std::size_t i) { return images[i]; }, [&](std::size_t i, const Tensor& t) { scores[i] = t; }, {},
      plans);
  REQUIRE(scores.size() == sizes.size());
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    REQUIRE(scores[i].shape() == Shape({sizes[i][0], sizes[i][1], sizes[i][2], 2}));
    const auto s = scores[i].to_vector(), v = images[i].to_vector();
    double worst = 0;
    for (std::size_t k = 0; k < v.size(); ++k) worst = std::max({worst, std::abs(s[2 * k] - v[k]), std::abs(s[2 * k + 1] - 1 + v[k])});
    CHECK(worst < 1e-5);
  }
  // 10x9x8 exceeds the patch by no more than a quarter: one window, padded to what the model takes.
  CHECK(std::any_of(model.seen.begin(), model.seen.end(), [](const Shape& s) { return s[1] == 12 && s[2] == 12 && s[3] == 8; }));
  CHECK(model.training());
}

TEST_CASE("channels of a scan reach the model in their order, flipped or not") {
  class Same final : public nn::Module {
    Tensor forward(const Tensor& x) override { return x; }
  } model;
  const Size size{20, 9, 13};
  const Tensor image = concat({scan(size, 1), scan(size, 2)}, 0);
  auto s = settings();
  s.mirror = {0, 2};
  std::vector<double> got;
  WindowPlans plans;
  run_windows(
      model, s, {size}, [&](std::size_t) { return image; }, [&](std::size_t, const Tensor& t) { got = t.to_vector(); }, {}, plans);
  const auto expected = image.permute({1, 2, 3, 0}).contiguous().to_vector();
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == Approx(expected[i]).margin(1e-5));
}

TEST_CASE("results do not depend on the batch or on the other scans") {
  PointModel model;
  const std::vector<Size> sizes{{20, 9, 13}, {8, 30, 8}};
  const std::vector<Tensor> images{scan(sizes[0], 1), scan(sizes[1], 2)};
  std::vector<std::vector<double>> results;
  for (std::int64_t batch : {1, 2, 5}) {
    auto s = settings();
    s.batch = batch;
    WindowPlans plans;
    std::vector<double> all(1);
    run_windows(
        model, s, sizes, [&](std::size_t i) { return images[i]; },
        [&](std::size_t i, const Tensor& t) {
          if (i == 0) all = t.to_vector();
        },
        {}, plans);
    results.push_back(all);
  }
  CHECK(results[0] == results[1]);
  CHECK(results[0] == results[2]);
}

TEST_CASE("mirrored predictions are turned back and averaged") {
  PlaceModel model(8);
  auto s = settings();
  s.mirror = {2};
  const Size size{8, 8, 8};
  const Tensor image = scan(size, 3);
  std::vector<double> got;
  WindowPlans plans;
  run_windows(
      model, s, {size}, [&](std::size_t) { return image; }, [&](std::size_t, const Tensor& t) { got = t.to_vector(); }, {}, plans);
  const auto v = image.to_vector();
  for (std::size_t k = 0; k < v.size(); k += 17) CHECK(got[2 * k] == Approx(v[k] + 3.5));
}

TEST_CASE("whole-scan windows have sizes that the model can halve, however few resolutions are supervised") {
  class Deep final : public nn::Module {
   public:
    Tensor forward(const Tensor& x) override {
      for (int a = 1; a <= 3; ++a) divisible = divisible && x.size(a) % 8 == 0;
      return concat({x, x * -1.0 + 1.0}, -1);
    }
    std::int64_t size_divisor() const override { return 8; }
    bool divisible = true;
  } model;
  WindowSettings s = settings();
  s.divisor = 2;
  WindowPlans plans;
  run_windows(model, s, {Size{9, 8, 10}}, [&](std::size_t) { return scan({9, 8, 10}, 3); }, [](std::size_t, const Tensor&) {}, {}, plans);
  CHECK(model.divisible);
}

TEST_CASE("a model that does not label every voxel is refused") {
  class Wrong final : public nn::Module {
    Tensor forward(const Tensor& x) override { return x; }
  } model;
  WindowPlans plans;
  const Tensor image = scan({8, 8, 8}, 1);
  CHECK_THROWS_WITH(run_windows(
                        model, settings(), {{8, 8, 8}}, [&](std::size_t) { return image; }, [](std::size_t, const Tensor&) {}, {}, plans),
                    Catch::Contains("scores"));
}
