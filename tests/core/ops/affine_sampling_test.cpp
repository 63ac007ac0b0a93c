#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "tenon/patches.hpp"
#include "tenon/random.hpp"

using namespace tenon;

namespace {

using Size = std::array<std::int64_t, 3>;

struct Scan {
  Size size;
  int channels;
  std::vector<float> image;
  std::vector<std::uint8_t> labels;
  Scan(Size s, int c, int classes)
      : size(s), channels(c), image(std::size_t(s[0] * s[1] * s[2] * c)), labels(std::size_t(s[0] * s[1] * s[2])) {
    const Random r(7, 1);
    for (std::size_t i = 0; i < image.size(); ++i) image[i] = r.uniform(i, -2, 2);
    for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = std::uint8_t(r.below(1000000 + i / 3, std::uint64_t(classes)));
  }
  VolumeView view() const { return {image.data(), labels.data(), size, channels}; }
};

struct Patch {
  std::vector<float> image;
  std::vector<std::uint8_t> labels;
  Patch(Size s, int c) : image(std::size_t(s[0] * s[1] * s[2] * c), -9.0f), labels(std::size_t(s[0] * s[1] * s[2]), 99) {}
};

/// One-hot labels interpolated and the largest taken, image likewise, in double, nothing shared with the code under test.
void reference(const Scan& scan, const GridMap& m, const Size& p, std::vector<double>& image, std::vector<std::vector<double>>& shares,
               int classes) {
  for (std::int64_t z = 0; z < p[0]; ++z)
    for (std::int64_t y = 0; y < p[1]; ++y)
      for (std::int64_t x = 0; x < p[2]; ++x) {
        double at[3];
        for (std::size_t a = 0; a < 3; ++a)
          at[a] = double(m.matrix[a][0]) * double(z) + double(m.matrix[a][1]) * double(y) + double(m.matrix[a][2]) * double(x) +
                  double(m.shift[a]);
        double value = 0;
        std::vector<double> share(std::size_t(classes), 0.0);
        for (int k = 0; k < 8; ++k) {
          double w = 1;
          std::int64_t q[3];
          bool inside = true;
          for (int a = 0; a < 3; ++a) {
            const double low = std::floor(at[a]), f = at[a] - low;
            const int up = (k >> (2 - a)) & 1;
            w *= up ? f : 1 - f;
            q[a] = std::int64_t(low) + up;
            inside &= q[a] >= 0 && q[a] < scan.size[std::size_t(a)];
          }
          const std::size_t i = inside ? std::size_t((q[0] * scan.size[1] + q[1]) * scan.size[2] + q[2]) : 0;
          value += inside ? w * double(scan.image[i]) : 0;
          share[inside ? scan.labels[i] : 0] += w;
        }
        image.push_back(value);
        shares.push_back(share);
      }
}

}  // namespace

TEST_CASE("an identity map gives the same bits as a copy, inside and beyond the scan") {
  for (int channels : {1, 3}) {
    const Scan scan({9, 12, 7}, channels, 4);
    for (const Size start : {Size{0, 0, 0}, Size{-2, 3, -4}, Size{4, -20, 0}}) {
      const Size p{8, 10, 9};
      Patch copied(p, channels), sampled(p, channels);
      sample_copy(scan.view(), start, p, copied.image.data(), copied.labels.data());
      GridMap map;
      for (std::size_t a = 0; a < 3; ++a) map.shift[a] = float(start[a]);
      sample_affine(scan.view(), map, p, sampled.image.data(), sampled.labels.data());
      CHECK(copied.image == sampled.image);
      CHECK(copied.labels == sampled.labels);
    }
  }
}

TEST_CASE("a turn by 90 degrees and a flip are exact permutations") {
  const Scan scan({8, 8, 8}, 1, 3);
  const Size p{8, 8, 8};
  Patch out(p, 1);
  GridMap turn;  // source y = 7 - x, source x = y
  turn.matrix = {{{1, 0, 0}, {0, 0, -1}, {0, 1, 0}}};
  turn.shift = {0, 7, 0};
  sample_affine(scan.view(), turn, p, out.image.data(), out.labels.data());
  GridMap flip;
  flip.matrix[0][0] = -1;
  flip.shift[0] = 7;
  Patch flipped(p, 1);
  sample_affine(scan.view(), flip, p, flipped.image.data(), flipped.labels.data());
  int wrong = 0;
  for (std::size_t z = 0; z < 8; ++z)
    for (std::size_t y = 0; y < 8; ++y)
      for (std::size_t x = 0; x < 8; ++x) {
        const std::size_t here = (z * 8 + y) * 8 + x, from = (z * 8 + 7 - x) * 8 + y, mirror = ((7 - z) * 8 + y) * 8 + x;
        wrong += out.image[here] != scan.image[from] || out.labels[here] != scan.labels[from];
        wrong += flipped.image[here] != scan.image[mirror] || flipped.labels[here] != scan.labels[mirror];
      }
  CHECK(wrong == 0);
}

TEST_CASE("any map equals interpolating one-hot labels and the image in double") {
  const Scan scan({21, 30, 25}, 1, 4);
  const Size p{20, 28, 72};  // rows longer than one block of the inner loop
  const Random r(3, 0);
  for (std::uint64_t round = 0; round < 6; ++round) {
    GridMap m;
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t j = 0; j < 3; ++j) m.matrix[i][j] = (i == j ? 0.9f : 0.0f) + r.uniform(100 * round + 3 * i + j, -0.4f, 0.4f);
      m.shift[i] = r.uniform(100 * round + 50 + i, -6, 6);
    }
    if (round == 4) m.matrix = {{{0, 0, 0.4f}, {0, 1, 0}, {0.5f, 0, 0}}};
    Patch out(p, 1);
    sample_affine(scan.view(), m, p, out.image.data(), out.labels.data());
    std::vector<double> image;
    std::vector<std::vector<double>> shares;
    reference(scan, m, p, image, shares, 4);
    double worst = 0;
    int wrong = 0;
    for (std::size_t i = 0; i < image.size(); ++i) {
      worst = std::max(worst, std::abs(image[i] - double(out.image[i])));
      // The map is evaluated in float there: where two labels share a voxel evenly to 1e-4, either is right.
      const double best = *std::max_element(shares[i].begin(), shares[i].end());
      wrong += out.labels[i] > 3 || shares[i][out.labels[i]] < best - 1e-4;
    }
    CHECK(worst < 1e-3);
    CHECK(wrong == 0);
  }
}

TEST_CASE("a scan one voxel thick is sampled without reading beyond it") {
  const Scan scan({1, 5, 1}, 1, 2);
  const Size p{3, 5, 3};
  Patch out(p, 1);
  GridMap m;
  m.shift = {-1, 0, -1};
  sample_affine(scan.view(), m, p, out.image.data(), out.labels.data());
  for (std::size_t y = 0; y < 5; ++y) CHECK(out.image[(5 + y) * 3 + 1] == scan.image[y]);
  CHECK(out.image[0] == 0);
}

TEST_CASE("ties between labels go to the smaller one") {
  const std::vector<float> image{0, 1};
  const std::vector<std::uint8_t> labels{2, 1};
  const VolumeView scan{image.data(), labels.data(), {1, 1, 2}, 1};
  GridMap m;
  m.shift = {0, 0, 0.5f};
  float v = 0;
  std::uint8_t l = 9;
  sample_affine(scan, m, {1, 1, 1}, &v, &l);
  CHECK(v == 0.5f);
  CHECK(l == 1);
}

TEST_CASE("labels alone are what they are beside an image") {
  const Scan scan({9, 11, 10}, 2, 4);
  const Size p{12, 8, 14};
  const GridMap turned{{{{0.9f, 0.2f, 0}, {-0.2f, 0.9f, 0.1f}, {0, -0.1f, 1.1f}}}, {-1.3f, 1.6f, -1.2f}};
  VolumeView alone = scan.view();
  alone.image = nullptr;
  alone.channels = 0;
  Patch both(p, 2), one(p, 2);
  sample_affine(scan.view(), turned, p, both.image.data(), both.labels.data());
  sample_affine(alone, turned, p, nullptr, one.labels.data());
  CHECK(one.labels == both.labels);
  sample_copy(scan.view(), {-2, 3, -1}, p, both.image.data(), both.labels.data());
  sample_copy(alone, {-2, 3, -1}, p, nullptr, one.labels.data());
  CHECK(one.labels == both.labels);
}
