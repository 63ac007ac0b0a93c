#include "finance/scores/forecast_scores.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "tenon/error.hpp"

using namespace tenon;
using namespace tenon::finance;

TEST_CASE("forecast scores by hand") {
  ForecastSums s({0.1, 0.5, 0.9});
  s.add(10, 8, std::vector<double>{6, 8, 9});     // above all
  s.add(-2, -1, std::vector<double>{-3, -1, 1});  // between the first two
  CHECK(s.count() == 2);
  CHECK(s.mse() == Approx((4 + 1) / 2.0));
  CHECK(s.mae() == Approx((2 + 1) / 2.0));
  CHECK(s.smape() == Approx((200 * 2 / 18.0 + 200 * 1 / 3.0) / 2));
  CHECK(s.mase(0.5) == Approx(3));
  // 2 max(q e, (q - 1) e): e = 4, 2, 1 at 0.1, 0.5, 0.9; then e = 1, -1, -3
  const double at1 = 2 * 0.1 * 4 + 2 * 0.1 * 1, at5 = 2 * 0.5 * 2 + 2 * 0.5 * 1, at9 = 2 * 0.9 * 1 + 2 * 0.1 * 3;
  CHECK(s.wql() == Approx((at1 + at5 + at9) / 3 / 12));
  CHECK(s.mean_pinball() == Approx((at1 + at5 + at9) / 3 / 2));
  CHECK(s.coverage() == 0.5);
  CHECK(s.pit() == std::vector<double>{0, 0.5, 0.5});

  ForecastSums other({0.1, 0.5, 0.9}), both({0.1, 0.5, 0.9});
  other.add(1, 1, std::vector<double>{0, 1, 2});
  both.add(s);
  both.add(other);
  CHECK(both.mae() == Approx(1));
  both.clear();
  CHECK(both.count() == 0);
  CHECK(std::isnan(both.mse()));
}

TEST_CASE("a median's pinball loss is its absolute error, and nothing is scored twice at zero") {
  CHECK(pinball(3, 1, 0.5) == 2);
  CHECK(pinball(1, 3, 0.5) == 2);
  ForecastSums s;
  s.add(0, 0);
  CHECK(s.smape() == 0);
  CHECK(std::isnan(s.wql()));
  CHECK(std::isnan(s.coverage()));
  CHECK(std::isnan(s.mase(0)));
}

TEST_CASE("the seasonal scale of MASE") {
  const std::vector<double> x{1, 2, 4, 7, 11};
  CHECK(seasonal_scale(x, 1) == Approx((1 + 2 + 3 + 4) / 4.0));
  CHECK(seasonal_scale(x, 2) == Approx((3 + 5 + 7) / 3.0));
  CHECK(std::isnan(seasonal_scale(x, 5)));
  CHECK_THROWS_AS(seasonal_scale(x, 0), Error);
}

TEST_CASE("quantiles that cross are sorted, and must be declared rising") {
  std::vector<double> q{3, 1, 2};
  sort_quantiles(q);
  CHECK(q == std::vector<double>{1, 2, 3});
  CHECK(median_place(std::vector<double>{0.1, 0.45, 0.9}) == 1);
  CHECK_THROWS_AS(ForecastSums({0.5, 0.4}), Error);
  CHECK_THROWS_AS(ForecastSums({0.0, 0.4}), Error);
  ForecastSums s({0.5});
  CHECK_THROWS_AS(s.add(1, 1), Error);
}
