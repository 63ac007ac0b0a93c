#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "tenon/distance_transform.hpp"
#include "tenon/error.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using namespace tenon;

TEST_CASE("the distance transform equals the search over all points") {
  const std::array<std::int64_t, 3> n{7, 9, 11};
  const std::array<double, 3> mm{3, 0.7, 1.2};
  const Random random(4, 0);
  for (std::uint64_t round = 0; round < 4; ++round) {
    std::vector<std::uint8_t> set(7 * 9 * 11);
    const float share = round == 0 ? 0.5f : round == 1 ? 0.05f : 0.004f;
    for (std::size_t i = 0; i < set.size(); ++i) set[i] = random.uniform(1000 * round + i) < share;
    if (round == 3) std::fill(set.begin(), set.end(), std::uint8_t(0)), set[400] = 1;
    const auto fast = squared_distance(set, n, mm);
    double worst = 0;
    for (std::int64_t z = 0; z < n[0]; ++z)
      for (std::int64_t y = 0; y < n[1]; ++y)
        for (std::int64_t x = 0; x < n[2]; ++x) {
          double best = std::numeric_limits<double>::infinity();
          std::size_t i = 0;
          for (std::int64_t c = 0; c < n[0]; ++c)
            for (std::int64_t b = 0; b < n[1]; ++b)
              for (std::int64_t a = 0; a < n[2]; ++a, ++i)
                if (set[i])
                  best = std::min(
                      best, std::pow(mm[0] * double(z - c), 2) + std::pow(mm[1] * double(y - b), 2) + std::pow(mm[2] * double(x - a), 2));
          worst = std::max(worst, std::abs(best - fast[std::size_t((z * n[1] + y) * n[2] + x)]));
        }
    CHECK(worst < 1e-9);
  }
}

TEST_CASE("without any point every distance is infinite") {
  const auto d = squared_distance(std::vector<std::uint8_t>(8, 0), {2, 2, 2}, {1, 1, 1});
  for (double v : d) CHECK(std::isinf(v));
  CHECK_THROWS_AS(squared_distance(std::vector<std::uint8_t>(7, 0), {2, 2, 2}, {1, 1, 1}), Error);
}
