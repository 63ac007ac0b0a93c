#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "medical/image/volume.hpp"
#include "medical/metrics/overlap.hpp"
#include "tenon/surface_distance.hpp"
#include "medical/shared_data.hpp"
#include "tenon/error.hpp"

using namespace tenon;
using namespace tenon::medical;

namespace {

using Mask = std::vector<std::uint8_t>;

}  // namespace

TEST_CASE("surfel areas: known pieces, symmetric under exchanging inside and outside") {
  const auto a = surfel_areas({1, 1, 1});
  CHECK(a[0] == 0);
  CHECK(a[255] == 0);
  CHECK(a[1] == Approx(std::sqrt(3.0) / 8));       // one corner
  CHECK(a[3] == Approx(std::sqrt(0.5)));           // an edge
  CHECK(a[15] == Approx(1));                       // a face
  CHECK(a[23] == Approx(6 * std::sqrt(3.0) / 8));  // a corner with its three neighbours: regular hexagon
  for (std::size_t code = 0; code < 256; ++code) CHECK(a[code] == Approx(a[255 - code]).margin(1e-12));
  const auto b = surfel_areas({2, 3, 5});
  CHECK(b[15] == Approx(15));  // upper half inside: the plane between, y x
  CHECK(b[0x55] == Approx(6));
}

TEST_CASE("two voxels 2 mm apart") {
  Mask a(128 * 3, 0), b = a;
  a[128 + 50] = 1;
  b[128 + 52] = 1;
  const auto s = surface_distances(a, b, {3, 1, 128}, {1, 1, 1}, SurfaceKind::surfel);
  CHECK(s.average()[0] == Approx(1.5));
  CHECK(s.average()[1] == Approx(1.5));
  CHECK(s.hausdorff() == Approx(2));
  CHECK(s.hausdorff(95) == Approx(2));
  CHECK(s.surface_dice(1) == Approx(0.5));
}

TEST_CASE("half a cube against one more slice, anisotropic") {
  Mask a(1000000, 0), b = a;
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = i / 10000 < 50;
    b[i] = i / 10000 < 51;
  }
  const auto s = surface_distances(a, b, {100, 100, 100}, {2, 1, 1}, SurfaceKind::surfel);
  CHECK(s.average()[0] == Approx(0.322).margin(0.0005));
  CHECK(s.average()[1] == Approx(0.339).margin(0.0005));
  CHECK(s.hausdorff() == Approx(2));
  CHECK(s.surface_dice(1) == Approx(0.836).margin(0.0005));
  CHECK(overlaps(b, a, 2)[1].dice() == Approx(0.990).margin(0.0005));
}

TEST_CASE("empty masks: the declared rule") {
  const Mask none(27, 0);
  Mask one = none;
  one[13] = 1;
  for (auto kind : {SurfaceKind::surfel, SurfaceKind::voxel}) {
    const auto both = surface_distances(none, none, {3, 3, 3}, {1, 2, 3}, kind);
    CHECK(std::isnan(both.hausdorff(95)));
    CHECK(std::isnan(both.surface_dice(1)));
    for (const auto& s :
         {surface_distances(one, none, {3, 3, 3}, {1, 2, 3}, kind), surface_distances(none, one, {3, 3, 3}, {1, 2, 3}, kind)}) {
      CHECK(s.hausdorff(95) == Approx(std::sqrt(9.0 + 36 + 81)));
      CHECK(s.surface_dice(1) == 0);
    }
    const auto same = surface_distances(one, one, {3, 3, 3}, {1, 2, 3}, kind);
    CHECK(same.hausdorff() == 0);
    CHECK(same.surface_dice(0) == 1);
  }
  CHECK_THROWS_AS(surface_distances(none, Mask(26, 0), {3, 3, 3}, {1, 1, 1}, SurfaceKind::voxel), Error);
  CHECK_THROWS_AS(surface_distances(none, none, {3, 3, 3}, {1, 0, 1}, SurfaceKind::voxel), Error);
}

TEST_CASE("golden values: a hippocampus against itself moved by two voxels and one") {
  TENON_NEEDS_MEDICAL_DATA(root);
  const Tensor label = read_labels(root / "hippocampus/labelsTr/hippocampus_001.nii.gz").values.contiguous();
  const auto values = label.span<std::uint8_t>();
  const std::array<std::int64_t, 3> n{label.size(0), label.size(1), label.size(2)};
  Mask truth(values.size()), guess(values.size(), 0);
  for (std::size_t i = 0; i < truth.size(); ++i) truth[i] = values[i] == 1;
  for (std::int64_t z = 0; z < n[0]; ++z)
    for (std::int64_t y = 1; y < n[1]; ++y)
      for (std::int64_t x = 2; x < n[2]; ++x)
        guess[std::size_t((z * n[1] + y) * n[2] + x)] = truth[std::size_t((z * n[1] + y - 1) * n[2] + x - 2)];
  CHECK(overlaps(guess, truth, 2)[1].dice() == Approx(0.802114803625).epsilon(1e-11));

  const auto s = surface_distances(truth, guess, n, {1, 1, 1}, SurfaceKind::surfel);
  CHECK(s.average()[0] == Approx(0.5205949936).epsilon(1e-9));
  CHECK(s.average()[1] == Approx(0.5184862001).epsilon(1e-9));
  CHECK(s.hausdorff() == Approx(2.2360679775).epsilon(1e-10));
  CHECK(s.hausdorff(95) == Approx(1.7320508076).epsilon(1e-10));
  CHECK(s.surface_dice(1) == Approx(0.8974844698).epsilon(1e-9));

  const auto v = surface_distances(truth, guess, n, {1, 1, 1}, SurfaceKind::voxel);
  CHECK(v.hausdorff(95) == Approx(2.0));
  CHECK(v.symmetric_average() == Approx(0.742939760138).epsilon(1e-11));

  const auto thick = surface_distances(truth, guess, n, {3, 1, 1}, SurfaceKind::surfel);
  CHECK(thick.average()[0] == Approx(0.6045809905).epsilon(1e-9));
  CHECK(thick.average()[1] == Approx(0.6031192671).epsilon(1e-9));
  CHECK(thick.hausdorff(95) == Approx(2.0));
  CHECK(thick.surface_dice(1) == Approx(0.8609677486).epsilon(1e-9));
}
