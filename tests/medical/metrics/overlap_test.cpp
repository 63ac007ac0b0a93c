#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "medical/metrics/overlap.hpp"
#include "tenon/error.hpp"

using namespace tenon;
using namespace tenon::medical;

TEST_CASE("Dice is 2 TP / (2 TP + FP + FN), label by label") {
  const std::vector<std::uint8_t> truth{0, 1, 1, 1, 2, 2, 0, 0}, guess{0, 1, 1, 0, 2, 1, 2, 0};
  const auto o = overlaps(guess, truth, 3);
  REQUIRE(o.size() == 3);
  CHECK(o[1].true_positive == 2);
  CHECK(o[1].false_positive == 1);
  CHECK(o[1].false_negative == 1);
  CHECK(o[1].dice() == Approx(4.0 / 6));
  CHECK(o[2].dice() == Approx(2.0 / 4));
}

TEST_CASE("an empty mask is not scored when both are empty, and scores 0 when one is") {
  const std::vector<std::uint8_t> none{0, 0, 0}, some{0, 1, 0};
  CHECK(std::isnan(overlaps(none, none, 2)[1].dice()));
  CHECK(overlaps(some, none, 2)[1].dice() == 0);
  CHECK(overlaps(none, some, 2)[1].dice() == 0);
}

TEST_CASE("overlaps refuses images of different size and labels out of range") {
  const std::vector<std::uint8_t> a{0, 1}, b{0, 1, 1}, c{0, 3};
  CHECK_THROWS_AS(overlaps(a, b, 2), Error);
  CHECK_THROWS_WITH(overlaps(a, c, 2), Catch::Contains("value 3") && Catch::Contains("0 to 1"));
  CHECK_THROWS_AS(overlaps(a, a, 0), Error);
}
