#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>
#include <vector>

#include "tenon/patches.hpp"

using namespace tenon;

namespace {

using Size = std::array<std::int64_t, 3>;

std::vector<float> patch(const Size& s) {
  std::vector<float> v(std::size_t(s[0] * s[1] * s[2]));
  const Random r(8, 0);
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = r.uniform(i, -1, 3);
  return v;
}

double mean(const std::vector<float>& v) {
  return std::accumulate(v.begin(), v.end(), 0.0) / double(v.size());
}
double deviation(const std::vector<float>& v) {
  const double m = mean(v);
  double sum = 0;
  for (float x : v) sum += (x - m) * (x - m);
  return std::sqrt(sum / double(v.size()));
}

}  // namespace

TEST_CASE("each change does what its name says") {
  const Size s{6, 10, 12};
  const auto before = patch(s);
  auto changed = [&](auto set) {
    IntensityChange d;
    set(d);
    auto v = before;
    apply_intensity(v.data(), s, 1, d, Random(1, 2));
    return v;
  };
  const auto bright = changed([](auto& d) {
    d.brightness = 1.2f;
    d.shift = 0.1f;
  });
  for (std::size_t i = 0; i < before.size(); i += 37) CHECK(bright[i] == Approx(1.2f * before[i] + 0.1f));

  const auto flat = changed([](auto& d) { d.contrast = 0.5f; });
  CHECK(mean(flat) == Approx(mean(before)).margin(1e-5));
  CHECK(deviation(flat) == Approx(0.5 * deviation(before)));
  const auto steep = changed([](auto& d) { d.contrast = 1.5f; });  // range kept: the ends saturate
  CHECK(*std::max_element(steep.begin(), steep.end()) <= *std::max_element(before.begin(), before.end()));

  for (const auto& gamma : {changed([](auto& d) { d.gamma = 1.5f; }), changed([](auto& d) { d.inverted_gamma = 0.7f; })}) {
    CHECK(gamma != before);
    CHECK(mean(gamma) == Approx(mean(before)).margin(1e-4));
    CHECK(deviation(gamma) == Approx(deviation(before)).epsilon(1e-4));
  }
  CHECK(deviation(changed([](auto& d) { d.blur = 1; })) < 0.5 * deviation(before));
  CHECK(deviation(changed([](auto& d) { d.low_resolution = 0.5f; })) < deviation(before));
}

TEST_CASE("blur and low resolution leave a constant as it is") {
  const Size s{6, 7, 8};
  std::vector<float> v(6 * 7 * 8, 2.5f);
  IntensityChange d;
  d.blur = 0.8f;
  d.low_resolution = 0.6f;
  apply_intensity(v.data(), s, 1, d, Random(1, 2));
  for (float x : v) CHECK(x == Approx(2.5f));
}

TEST_CASE("noise is normal with the deviation drawn") {
  const Size s{40, 56, 40};
  std::vector<float> v(40 * 56 * 40, 0.0f);
  IntensityChange d;
  d.noise = 0.3f;
  apply_intensity(v.data(), s, 1, d, Random(1, 2));
  CHECK(std::abs(mean(v)) < 5 * 0.3 / std::sqrt(89600.0));
  CHECK(deviation(v) == Approx(0.3).epsilon(0.012));  // 5 sigma of the estimate
  double beyond = 0, fourth = 0;
  for (float x : v) {
    beyond += std::abs(x) > 2 * 0.3f;
    fourth += std::pow(double(x) / 0.3, 4);
  }
  CHECK(beyond / 89600 == Approx(0.0455).margin(0.0035));
  CHECK(fourth / 89600 == Approx(3).margin(0.17));
}

TEST_CASE("a channel among several changes alone") {
  const Size s{3, 4, 5};
  std::vector<float> v(120);
  std::iota(v.begin(), v.end(), 0.0f);
  const auto before = v;
  IntensityChange d;
  d.brightness = 2;
  apply_intensity(v.data() + 1, s, 2, d, Random(1, 2));
  for (std::size_t i = 0; i < 120; ++i) CHECK(v[i] == (i % 2 ? 2 * before[i] : before[i]));
}
