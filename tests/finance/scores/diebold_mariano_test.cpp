#include "finance/scores/diebold_mariano.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "tenon/error.hpp"

using namespace tenon;
using namespace tenon::finance;

namespace {

/// As golden_scores.py makes them.
std::pair<std::vector<double>, std::vector<double>> losses(int n) {
  std::vector<double> a, b;
  for (int i = 0; i < n; ++i) {
    const double t = i;
    a.push_back(1 + 0.5 * std::sin(0.9 * t) + 0.3 * std::cos(2.3 * t * t));
    b.push_back(1.1 + 0.4 * std::sin(0.7 * t + 1) + 0.2 * std::cos(1.7 * t * t));
  }
  return {a, b};
}

}  // namespace

TEST_CASE("Diebold-Mariano against an independent program (golden_scores.py)") {
  struct Row {
    int n, h;
    double statistic, p;
  };
  for (const Row& row : std::vector<Row>{
           {40, 1, -2.108258081433307, 0.04148532207138644}, {40, 3, -1.4315095479675497, 0.16024979858739014}, {200, 2, -2.418131751572273, 0.016501124125646645}
       }) {
    const auto [a, b] = losses(row.n);
    const auto dm = diebold_mariano(a, b, row.h);
    INFO(row.n << " " << row.h);
    CHECK_FALSE(dm.bartlett);
    CHECK(dm.statistic == Approx(row.statistic).epsilon(1e-9));
    CHECK(dm.p_value == Approx(row.p).epsilon(1e-8));
    CHECK(dm.lags == row.h - 1);
    const auto turned = diebold_mariano(b, a, row.h);
    CHECK(turned.statistic == -dm.statistic);
    CHECK(turned.p_better == Approx(1 - dm.p_better));
  }
}

TEST_CASE("Diebold-Mariano of equal, shifted and strongly overlapping losses") {
  const std::vector<double> a{1, 2, 3, 4}, b{2, 3, 4, 5};
  CHECK(diebold_mariano(a, a, 1).p_value == 1);
  const auto shifted = diebold_mariano(a, b, 1);
  CHECK(std::isinf(shifted.statistic));
  CHECK(shifted.statistic < 0);
  CHECK(shifted.p_value == 0);
  CHECK(shifted.p_better == 0);
  // many autocovariances together are below zero: Bartlett's weights must step in
  const auto [x, y] = losses(30);
  const auto most = diebold_mariano(x, y, 6);
  CHECK(most.bartlett);
  CHECK(most.lags == 5);
  CHECK(std::isfinite(most.statistic));
  CHECK_THROWS_AS(diebold_mariano(a, std::vector<double>{1}, 1), Error);
  CHECK_THROWS_AS(diebold_mariano(std::vector<double>{1}, std::vector<double>{1}, 1), Error);
  CHECK_THROWS_AS(diebold_mariano(a, b, 0), Error);
  CHECK_THROWS_AS(diebold_mariano(a, std::vector<double>{1, 2, NAN, 4}, 1), Error);
}

TEST_CASE("Diebold-Mariano is undefined where a horizon covers the sample") {
  const auto [x, y] = losses(6);
  for (int h : {6, 7, 720}) {
    const auto dm = diebold_mariano(x, y, h);
    CHECK(std::isnan(dm.statistic));
    CHECK(std::isnan(dm.p_value));
    CHECK(std::isnan(dm.p_better));
    CHECK(std::isfinite(dm.mean_difference));
  }
  CHECK(std::isfinite(diebold_mariano(x, y, 5).statistic));
}
