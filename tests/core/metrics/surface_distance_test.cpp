#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "tenon/surface_distance.hpp"

using namespace tenon;

namespace {

constexpr std::array<std::int64_t, 3> kSize{12, 10, 14};
constexpr std::array<double, 3> kSpacing{2, 1, 0.5};

/// A box of 4 x 4 x 4 voxels that begins at x.
std::vector<std::uint8_t> box(std::int64_t x) {
  std::vector<std::uint8_t> mask(std::size_t(kSize[0] * kSize[1] * kSize[2]));
  for (std::int64_t z = 3; z < 7; ++z)
    for (std::int64_t y = 3; y < 7; ++y)
      for (std::int64_t i = x; i < x + 4; ++i) mask[std::size_t((z * kSize[1] + y) * kSize[2] + i)] = 1;
  return mask;
}

}  // namespace

TEST_CASE("boxes a shift apart: no distance is larger than the shift, and the face that moved is that far", "[metrics]") {
  for (SurfaceKind kind : {SurfaceKind::surfel, SurfaceKind::voxel})
    for (std::int64_t shift : {0, 1, 3}) {
      const SurfaceDistances d = surface_distances(box(2), box(2 + shift), kSize, kSpacing, kind);
      INFO(shift << " voxels, kind " << int(kind));
      CHECK(d.hausdorff() == Approx(double(shift) * kSpacing[2]));
      CHECK(d.hausdorff(95) <= d.hausdorff());
      CHECK(d.average()[0] == Approx(d.average()[1]));
      CHECK(d.surface_dice(double(shift) * kSpacing[2] + 1e-9) == Approx(1));  // shares of area, added up
      if (shift > 0) CHECK(d.surface_dice(0) < 1);
    }
}

TEST_CASE("masks with nothing in them are told apart from distances of zero", "[metrics]") {
  const std::vector<std::uint8_t> none(box(2).size());
  const SurfaceDistances both = surface_distances(none, none, kSize, kSpacing, SurfaceKind::surfel);
  CHECK(std::isnan(both.hausdorff()));
  CHECK(std::isnan(both.surface_dice(1)));
  const SurfaceDistances one = surface_distances(box(2), none, kSize, kSpacing, SurfaceKind::surfel);
  CHECK(one.hausdorff(95) == one.diagonal);
  CHECK(one.surface_dice(1) == 0);
}

TEST_CASE("surface distances refuse what is out of their range", "[surface_distance][misuse]") {
  using Catch::Matchers::Contains;
  const SurfaceDistances d = surface_distances(box(2), box(3), kSize, kSpacing, SurfaceKind::voxel);
  CHECK_THROWS_WITH(d.hausdorff(200), Contains("hausdorff: percentile 200"));
  CHECK_THROWS_WITH(d.hausdorff(-5), Contains("hausdorff: percentile -5"));
  CHECK_THROWS_WITH(d.hausdorff(NAN), Contains("hausdorff: percentile"));
  CHECK_THROWS_WITH(d.surface_dice(-1), Contains("surface_dice: tolerance -1"));
  const std::vector<std::uint8_t> four(4, 1);
  CHECK_THROWS_WITH(surface_distances(four, four, {-2, -2, 1}, kSpacing, SurfaceKind::voxel), Contains("surface_distances: a grid of -2 x -2 x 1"));
}
