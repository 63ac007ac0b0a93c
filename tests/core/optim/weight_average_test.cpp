#include "tenon/weight_average.hpp"

#include <catch2/catch.hpp>

#include "core/optim/golden.hpp"
#include "tenon/error.hpp"

using namespace tenon;
using namespace tenon::optim_test;
using Catch::Matchers::Contains;

TEST_CASE("averages follow their rules", "[optim][average]") {
  CHECK(WeightAverage::share(0.1).keep(5) == 0);  // shorter than a step: the weights themselves
  CHECK(WeightAverage::share(0.1).keep(1000) == Approx(0.99));
  CHECK(WeightAverage::decay(0.99).keep(1) == Approx(2.0 / 11));
  CHECK(WeightAverage::decay(0.99).keep(100000) == 0.99);

  Two m({2}, {1});
  WeightAverage average(m, WeightAverage::decay(0.5));
  double expected = double(m.w.data<float>()[0]);
  for (int t = 1; t <= 20; ++t) {
    m.w.fill(t);
    average.update(t);
    const double keep = std::min(0.5, (1.0 + t) / (10.0 + t));
    expected = t + keep * (expected - t);
  }
  CHECK(average.weights()[0].second.to_vector()[0] == Approx(expected).epsilon(1e-6));
  CHECK(m.w.to_vector()[0] == 20);
  {
    const WeightAverage::Scope scope(&average);
    CHECK(m.w.to_vector()[0] == Approx(expected).epsilon(1e-6));
  }
  CHECK(m.w.to_vector()[0] == 20);

  nn::NamedTensors saved;
  for (const auto& [name, t] : average.weights()) saved.emplace_back(name, t.clone());
  WeightAverage again(m, WeightAverage::decay(0.5));
  again.load(saved);
  CHECK(again.weights()[0].second.to_vector() == saved[0].second.to_vector());
  saved.pop_back();
  CHECK_THROWS_WITH(again.load(saved), Contains("lacks 'b' [1]"));
  CHECK_THROWS_WITH(WeightAverage(m, WeightAverage::decay(1.5)), Contains("1.5"));
}
