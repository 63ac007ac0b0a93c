#include <catch2/catch.hpp>
#include <vector>

#include "medical/tasks/intensity.hpp"

using namespace tenon;
using namespace tenon::medical;

TEST_CASE("nothing drawn, nothing changed") {
  CHECK(draw_intensity({}, Random(1, 1)).neutral());
  std::vector<float> v{1, 2, -3, 4, 5, 6, 7, 0};
  const auto before = v;
  apply_intensity(v.data(), {2, 2, 2}, 1, draw_intensity({}, Random(1, 1)), Random(1, 2));
  CHECK(v == before);
}

TEST_CASE("draws come as often, and as strong, as the settings say") {
  IntensitySettings settings;
  settings.brightness = {0.25, 0.8, 1.2};
  int count = 0;
  for (std::uint64_t i = 0; i < 4000; ++i) {
    const auto d = draw_intensity(settings, Random(1, i));
    count += d.brightness != 1;
    CHECK((d.brightness >= 0.8f && d.brightness <= 1.2f));
    CHECK(d.noise == 0);
  }
  CHECK(count == Approx(1000).margin(150));
}
