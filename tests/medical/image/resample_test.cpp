#include "medical/image/resample.hpp"

#include <algorithm>
#include <cmath>

#include "medical/image/interpolation.hpp"
#include "medical/test_data.hpp"
#include "tenon/device.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using namespace tenon::medical;
using namespace tenon::medical_test;

namespace {

Tensor noise(Shape shape, std::uint64_t stream, float low = 0, float high = 1) {
  Random random(3, stream);
  std::vector<float> v(std::size_t(shape.numel()));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = random.uniform(i, low, high);
  return Tensor::from(v, shape);
}

void check_close(const Tensor& got, const std::vector<double>& expected, double margin) {
  auto values = got.to_vector();
  REQUIRE(values.size() == expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) CHECK(values[i] == Approx(expected[i]).margin(margin));
}

struct Threads {
  int before = thread_count();
  explicit Threads(int n) { set_thread_count(n); }
  ~Threads() { set_thread_count(before); }
};

}  // namespace

TEST_CASE("resample: a line, along each axis, as scipy 1.x zooms it (grid_mode, nearest)", "[medical][resample]") {
  const std::vector<float> line{3, 1, 4, 1, 5, 9, 2, 6};
  struct Golden {
    std::int64_t n;
    int order;
    std::vector<double> values;
  };
  const Golden golden[] = {
      {5, 1, {2.4, 3.7, 3.0, 8.3, 4.8}},
      {5, 3, {2.2036321, 3.9320521, 1.9841102, 8.5464735, 4.4226015}},
      {11, 1, {3.0, 1.8181818, 1.9545455, 3.8636364, 1.6818182, 3.0, 5.9090909, 8.8181818, 4.2272727, 3.6363636, 6.0}},
      {11, 3, {3.2059571, 1.3595285, 1.9069375, 3.9815143, 1.529625, 1.9841102, 6.6285983, 9.1324833, 3.7853412, 2.7444236, 6.4076591}},
      {16, 3, {3.2976027, 2.3556815, 1.0455815, 1.6473778, 3.5981964, 3.5704322, 1.6085079, 1.1490184, 3.3271469, 6.786619, 9.1922794, 7.5326304, 3.2631104,
               2.1141094, 4.724029, 6.589057}}};
  for (const Golden& g : golden) {
    check_close(resample(Tensor::from(line, {1, 1, 8}), {1, 1, g.n}, g.order), g.values, 4e-6);
    check_close(resample(Tensor::from(line, {1, 8, 1}), {1, g.n, 1}, g.order), g.values, 4e-6);
    check_close(resample(Tensor::from(line, {8, 1, 1}), {g.n, 1, 1}, g.order), g.values, 4e-6);
  }
}

TEST_CASE("resample: a volume as scipy zooms it", "[medical][resample]") {
  std::vector<float> v(60);
  for (std::size_t i = 0; i < 60; ++i) v[i] = float(i * 7919 % 101);
  auto every_ninth = [](const Tensor& t) {
    std::vector<double> out;
    auto all = t.to_vector();
    for (std::size_t i = 0; i < all.size(); i += 9) out.push_back(all[i]);
    return out;
  };
  const std::vector<double> linear{0.5, 57.21429, 47.64286, 68.3, 36.72857, 94.5, 56.07143, 19.7, 59.1, 39.90952, 87.5, 55.92857};
  const std::vector<double> cubic{-2.22267, 62.62762, 45.09013, 71.19873, 34.17166, 93.39367, 46.92553, 17.54227, 66.7361, 31.39334, 89.61146, 64.52344};
  Tensor t = Tensor::from(v, {3, 4, 5});
  auto got = every_ninth(resample(t, {5, 3, 7}, 1));
  for (std::size_t i = 0; i < linear.size(); ++i) CHECK(got[i] == Approx(linear[i]).margin(2e-5));
  got = every_ninth(resample(t, {5, 3, 7}, 3));
  for (std::size_t i = 0; i < cubic.size(); ++i) CHECK(got[i] == Approx(cubic[i]).margin(4e-5));
}

TEST_CASE("resample: the B-spline passes through its samples", "[medical][resample]") {
  for (std::int64_t n : {2, 3, 4, 7, 33}) {
    Tensor samples = noise({n, 3, 20}, std::uint64_t(n));
    Tensor c = samples.clone();
    bspline_prefilter(c.data<float>(), 1, n, 60);
    auto before = samples.to_vector(), coefficients = c.to_vector();
    for (std::int64_t k = 1; k + 1 < n; ++k) {
      for (std::int64_t i = 0; i < 60; ++i) {
        auto at = [&](std::int64_t z) { return coefficients[std::size_t(z * 60 + i)]; };
        CHECK((at(k - 1) + 4 * at(k) + at(k + 1)) / 6 == Approx(before[std::size_t(k * 60 + i)]).margin(2e-6));
      }
    }
    // Odd magnification puts every third new centre on an old one, the edges included.
    auto dense = resample(samples, {3 * n, 3, 20}, 3).to_vector();
    for (std::int64_t k = 0; k < n; ++k) {
      for (std::size_t i = 0; i < 60; ++i) CHECK(dense[std::size_t((3 * k + 1) * 60) + i] == Approx(before[std::size_t(k * 60) + i]).margin(4e-6));
    }
  }
}

TEST_CASE("resample: constants stay, sizes of one work, no thread count changes a bit", "[medical][resample]") {
  for (int order : {0, 1, 3}) {
    for (double v : resample(Tensor::full({2, 1, 5}, 7), {3, 4, 2}, order).to_vector()) CHECK(v == Approx(7).epsilon(1e-6));
  }
  Tensor t = noise({19, 23, 37}, 9);
  std::vector<double> one, two;
  {
    Threads n(1);
    one = resample(t, {31, 17, 40}, 3).to_vector();
  }
  {
    Threads n(2);
    two = resample(t, {31, 17, 40}, 3).to_vector();
  }
  CHECK(one == two);
  CHECK(resample(t, {19, 23, 37}, 3).to_vector() == t.to_vector());
}

TEST_CASE("resample: scores and labels", "[medical][resample]") {
  Tensor scores = noise({5, 6, 7, 3}, 4, -1, 1);
  Size3 size{9, 5, 12};
  Tensor full = resample_scores(scores, size), labels = resample_argmax(scores, size);
  for (int c = 0; c < 3; ++c) {
    auto a = full.narrow(3, c, 1).contiguous().to_vector(), b = resample(scores.narrow(3, c, 1).contiguous().reshape({5, 6, 7}), size, 1).to_vector();
    for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == Approx(b[i]).margin(1e-6));
  }
  auto values = full.to_vector(), picked = labels.to_vector();
  for (std::size_t i = 0; i < picked.size(); ++i) {
    auto* first = &values[3 * i];
    CHECK(picked[i] == double(std::max_element(first, first + 3) - first));
  }
  // Labels against the naive way: one-hot, resample, argmax.
  std::vector<std::uint8_t> l(5 * 6 * 7);
  Random random(1, 2);
  for (std::size_t i = 0; i < l.size(); ++i) l[i] = std::uint8_t(random.below(i, 3) * 7);
  std::vector<float> hot(l.size() * 3);
  for (std::size_t i = 0; i < l.size(); ++i) hot[3 * i + l[i] / 7] = 1;
  auto naive = resample_scores(Tensor::from(hot, {5, 6, 7, 3}), size).to_vector();
  auto fast = resample_labels(Tensor::from(l, {5, 6, 7}), size).to_vector();
  for (std::size_t i = 0; i < fast.size(); ++i) {
    double best = std::max({naive[3 * i], naive[3 * i + 1], naive[3 * i + 2]});
    CHECK(naive[3 * i + std::size_t(fast[i] / 7)] == Approx(best).margin(1e-6));
  }
  CHECK(resample_labels(Tensor::from(l, {5, 6, 7}), {5, 6, 7}).to_vector() == Tensor::from(l, {5, 6, 7}).to_vector());
}

TEST_CASE("resample: geometry covers the same field of view, sizes round half to even", "[medical][resample]") {
  Geometry g;
  g.size = {10, 20, 5};
  g.to_ras = {{{0, 2, 0, 3}, {1, 0, 0, 4}, {0, 0, -3, 5}}};
  CHECK(size_at_spacing(g, {2, 1, 6}) == Size3{2, 40, 5});  // 2.5 rounds to 2
  Geometry h = resized(g, {2, 40, 5});
  auto a = g.point(-0.5, -0.5, -0.5), b = h.point(-0.5, -0.5, -0.5), c = g.point(9.5, 19.5, 4.5), d = h.point(4.5, 39.5, 1.5);
  for (std::size_t r = 0; r < 3; ++r) {
    CHECK(a[r] == Approx(b[r]));
    CHECK(c[r] == Approx(d[r]));
  }
  CHECK(anisotropic_order({1, 1, 3.1}, {1, 1, 1}, 3) == std::array<int, 3>{0, 3, 3});
  CHECK(anisotropic_order({1, 1, 3}, {1, 1, 1}, 3) == std::array<int, 3>{3, 3, 3});
  CHECK(anisotropic_order({1, 1, 1}, {4, 1, 1}, 1) == std::array<int, 3>{1, 1, 0});
  CHECK(anisotropic_order({.24, 1.25, 1.25}, {1, 1, 1}, 1) == std::array<int, 3>{1, 1, 1});
}

TEST_CASE("resample: wrong use", "[medical][resample]") {
  Tensor t = Tensor::zeros({2, 2, 2});
  CHECK_THROWS_AS(resample(t, {2, 2, 2}, 2), Error);
  CHECK_THROWS_AS(resample(t, {0, 2, 2}, 1), Error);
  CHECK_THROWS_AS(resample(t.to(DType::u8), {2, 2, 2}, 1), Error);
  CHECK_THROWS_AS(resample_labels(t, {2, 2, 2}), Error);
  CHECK_THROWS_AS(resample_argmax(t, {2, 2, 2}), Error);
  CHECK_THROWS_AS(size_at_spacing(Geometry{}, {0, 1, 1}), Error);
  CHECK(message_of([&] { resample(t, {2, 2, 2}, 2); }).find("resample: order 2") == 0);
}
