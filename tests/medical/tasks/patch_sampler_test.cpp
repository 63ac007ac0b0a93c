#include <catch2/catch.hpp>
#include <cmath>
#include <set>
#include <thread>
#include <vector>

#include "medical/tasks/patch_sampler.hpp"
#include "tenon/error.hpp"

using namespace tenon;
using namespace tenon::medical;

namespace {

using Size = std::array<std::int64_t, 3>;

/// Scans whose every voxel tells its case and place, with one small block of foreground.
struct Set {
  std::vector<std::vector<float>> images;
  std::vector<std::vector<std::uint8_t>> labels;
  std::vector<SamplerCase> cases;
  Set(std::size_t count, Size size) : images(count), labels(count), cases(count) {
    const auto n = std::size_t(size[0] * size[1] * size[2]);
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t v = 0; v < n; ++v) images[i].push_back(float(i * n + v + 1));
      labels[i].assign(n, 0);
      labels[i][n - 1] = 1;
      if (i % 2 == 0) labels[i][0] = 2;
      cases[i].scan = {images[i].data(), labels[i].data(), size, 1};
      cases[i].foreground = find_foreground(labels[i], 3);
    }
  }
};

SpatialSettings all_spatial() {
  return {{1, -30, 30}, {1, 0.7, 1.4}, {0, 1, 2}};
}
IntensitySettings all_intensity() {
  return {{1, 0.01, 0.1}, {1, 0.5, 1}, {1, 0.75, 1.25}, {1, 0, 0.1}, {1, 0.75, 1.25}, {1, 0.5, 1}, {1, 0.7, 1.5}, {1, 0.7, 1.5}};
}

}  // namespace

TEST_CASE("an epoch shows every case once, and epochs differ") {
  const Set set(10, {4, 4, 4});
  const PatchSampler sampler(set.cases, {{4, 4, 4}, 0, 3}, {}, {});
  const Random random(1, 0);
  std::vector<std::size_t> order;
  for (std::int64_t step = 0; step < 10; ++step)
    for (std::int64_t j = 0; j < 3; ++j) order.push_back(sampler.draw(step, j, random).which);
  for (int epoch = 0; epoch < 3; ++epoch)
    CHECK(std::set<std::size_t>(order.begin() + epoch * 10, order.begin() + epoch * 10 + 10).size() == 10);
  CHECK(std::vector<std::size_t>(order.begin(), order.begin() + 10) != std::vector<std::size_t>(order.begin() + 10, order.begin() + 20));
}

TEST_CASE("the same sample has the same bits from any thread, and another step has others") {
  const Set set(5, {12, 14, 10});
  const Size p{8, 16, 8};
  const PatchSampler sampler(set.cases, {p, 0.5, 2}, all_spatial(), all_intensity());
  const auto n = std::size_t(p[0] * p[1] * p[2]);
  auto make = [&](std::int64_t step, std::int64_t j) {
    std::vector<float> image(n);
    std::vector<std::uint8_t> labels(n);
    sampler.fill(step, j, Random(9, 2), image.data(), labels.data());
    return std::pair{image, labels};
  };
  std::vector<std::pair<std::vector<float>, std::vector<std::uint8_t>>> alone, threaded(16);
  for (std::int64_t k = 0; k < 16; ++k) alone.push_back(make(k / 2, k % 2));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int k = 15 - t; k >= 0; k -= 4) threaded[std::size_t(k)] = make(k / 2, k % 2);
    });
  for (auto& t : threads) t.join();
  CHECK(alone == threaded);
  CHECK(alone[0] != alone[2]);
  for (const auto& [image, labels] : alone)
    for (float v : image) REQUIRE(std::isfinite(v));
}

TEST_CASE("forced samples hold foreground, and as many as asked are forced") {
  const Set set(8, {20, 20, 20});
  const PatchSampler sampler(set.cases, {{6, 6, 6}, 1.0 / 3, 6}, {}, {});
  const Random random(5, 0);
  int second = 0, forced = 0;
  std::vector<float> image(216);
  std::vector<std::uint8_t> labels(216);
  for (std::int64_t step = 0; step < 100; ++step)
    for (std::int64_t j = 0; j < 6; ++j) {
      const PatchDraw d = sampler.draw(step, j, random);
      CHECK((d.forced > 0) == (j >= 4));
      if (d.forced == 0) continue;
      ++forced;
      second += d.forced == 2;
      sampler.fill(step, j, random, image.data(), labels.data());
      CHECK(std::find(labels.begin(), labels.end(), std::uint8_t(d.forced)) != labels.end());
    }
  CHECK(forced == 200);
  CHECK(second > 30);  // half of the cases have label 2, where it is drawn half of the time: 50 expected, 6 sigma
  CHECK(second < 75);
}

TEST_CASE("a scan smaller than the patch is placed anywhere in it, padded with zeros") {
  const Set set(1, {4, 6, 4});
  const Size p{8, 6, 5};
  const PatchSampler sampler(set.cases, {p, 1, 1}, {}, {});
  const Random random(2, 0);
  std::set<std::int64_t> places;
  std::vector<float> image(240);
  std::vector<std::uint8_t> labels(240);
  for (std::int64_t step = 0; step < 60; ++step) {
    const PatchDraw d = sampler.draw(step, 0, random);
    CHECK(d.start[0] <= 0);
    CHECK(d.start[0] >= -4);
    CHECK(d.start[1] == 0);
    places.insert(d.start[0]);
    sampler.fill(step, 0, random, image.data(), labels.data());
    CHECK(std::count(image.begin(), image.end(), 0.0f) == 240 - 96);
  }
  CHECK(places.size() == 5);
}

TEST_CASE("rotation is rigid in millimetres") {
  Set set(1, {10, 10, 10});
  set.cases[0].spacing = {5, 1, 2};
  const PatchSampler sampler(set.cases, {{8, 8, 8}, 0, 1}, {{1, -90, 90}, {}, {}}, {});
  const auto& mm = set.cases[0].spacing;
  for (std::int64_t step = 0; step < 20; ++step) {
    const auto d = sampler.draw(step, 0, Random(3, 0));
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t j = 0; j < 3; ++j) {  // S M S^-1 must be orthogonal
        double dot = 0;
        for (std::size_t k = 0; k < 3; ++k) dot += double(d.map.matrix[k][i]) * mm[k] / mm[i] * double(d.map.matrix[k][j]) * mm[k] / mm[j];
        CHECK(dot == Approx(i == j ? 1 : 0).margin(1e-5));
      }
  }
}

TEST_CASE("foreground lists are complete, or thinned evenly") {
  std::vector<std::uint8_t> labels(1000, 0);
  for (std::size_t i = 100; i < 900; ++i) labels[i] = 1;
  labels[950] = 2;
  const auto all = find_foreground(labels, 3), few = find_foreground(labels, 3, 10);
  CHECK(all[0].empty());
  CHECK(all[1].size() == 800);
  CHECK(all[2] == std::vector<std::uint32_t>{950});
  REQUIRE(few[1].size() == 10);
  for (std::size_t k = 1; k < 10; ++k) CHECK(few[1][k] - few[1][k - 1] == 80);
}

TEST_CASE("coarser labels take every second voxel") {
  std::vector<std::uint8_t> labels(4 * 4 * 4), out(8);
  for (std::size_t i = 0; i < 64; ++i) labels[i] = std::uint8_t(i);
  halve_labels(labels.data(), {4, 4, 4}, out.data());
  CHECK(out == std::vector<std::uint8_t>{0, 2, 8, 10, 32, 34, 40, 42});
}

TEST_CASE("a sampler without cases or with an impossible patch is refused") {
  CHECK_THROWS_AS(PatchSampler({}, {{4, 4, 4}, 0, 1}, {}, {}), Error);
  const Set set(1, {4, 4, 4});
  CHECK_THROWS_AS(PatchSampler(set.cases, {{4, 0, 4}, 0, 1}, {}, {}), Error);
}

TEST_CASE("shuffled labels come from another case, placed and turned for themselves") {
  const Set set(6, {9, 9, 9});
  const Size p{6, 6, 6};
  PatchSettings settings{p, 0, 2};
  const PatchSampler plain(set.cases, settings, all_spatial(), {});
  settings.shuffle_labels = true;
  const PatchSampler shuffled(set.cases, settings, all_spatial(), {}), varied(set.cases, settings, all_spatial(), all_intensity());
  const Random random(3, 0);
  const auto n = std::size_t(p[0] * p[1] * p[2]);
  std::set<std::pair<std::size_t, std::size_t>> pairs;
  for (std::int64_t step = 0; step < 200; ++step)
    for (std::int64_t j = 0; j < 2; ++j) {
      const PatchDraw image = shuffled.draw(step, j, random), labels = shuffled.draw_labels(step, j, random);
      REQUIRE(labels.which != image.which);
      REQUIRE(labels.map.shift != image.map.shift);
      REQUIRE(labels.map.matrix != image.map.matrix);
      pairs.emplace(image.which, labels.which);
      std::vector<float> voxels(n), expected(n), other(n);
      std::vector<std::uint8_t> got(n), wanted(n), ignored(n), again(n);
      shuffled.fill(step, j, random, voxels.data(), got.data());
      plain.fill(step, j, random, expected.data(), ignored.data());
      REQUIRE(voxels == expected);
      sample_affine(set.cases[labels.which].scan, labels.map, p, other.data(), wanted.data());
      REQUIRE(got == wanted);
      varied.fill(step, j, random, other.data(), again.data());
      REQUIRE(other != voxels);
      REQUIRE(again == got);
    }
  CHECK(pairs.size() == 30);  // every image with the labels of every other case
  CHECK_THROWS_WITH(PatchSampler({set.cases[0]}, settings, {}, {}), Catch::Contains("two cases"));
}

TEST_CASE("what an image shows of its pose and of forced foreground tells nothing of shuffled labels") {
  const Set set(4, {9, 9, 9});
  PatchSettings settings{{6, 6, 6}, 0.5, 2};
  settings.shuffle_labels = true;
  const PatchSampler sampler(set.cases, settings, {{}, {}, {2}}, {});
  const Random random(8, 0);
  // Counts by the image's state (second index) and its labels': independent halves fill all four alike.
  int mirrored[2][2] = {}, forced[2][2] = {};
  for (std::int64_t step = 0; step < 400; ++step)
    for (std::int64_t j = 0; j < 2; ++j) {
      const PatchDraw image = sampler.draw(step, j, random), labels = sampler.draw_labels(step, j, random);
      auto count = [](int(&table)[2][2], bool of_labels, bool of_image) { ++table[of_labels][of_image]; };
      count(mirrored, labels.map.matrix[2][2] < 0, image.map.matrix[2][2] < 0);
      count(forced, labels.forced > 0, image.forced > 0);
    }
  for (int a = 0; a < 2; ++a)
    for (int b = 0; b < 2; ++b) {
      INFO("labels " << a << ", image " << b);
      CHECK(std::abs(mirrored[a][b] - 200) < 60);  // sigma is 12
      CHECK(std::abs(forced[a][b] - 200) < 60);
    }
}

TEST_CASE("batches too small for a forced sample of their own share them out over the run") {
  const Set set(4, {9, 9, 9});
  const PatchSampler sampler(set.cases, {{4, 4, 4}, 0.33, 1}, {}, {});
  int forced = 0;
  for (std::int64_t step = 0; step < 300; ++step) forced += sampler.draw(step, 0, Random(1, 0)).forced > 0;
  CHECK(forced == 99);
}
