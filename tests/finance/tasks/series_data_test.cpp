#include "finance/tasks/series_data.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "finance/tasks/dates.hpp"
#include "finance/tasks/forecast_fixture.hpp"
#include "finance/tasks/reference_forecasts.hpp"

using namespace tenon;
using namespace tenon::finance;
using namespace tenon::finance_test;

TEST_CASE("parts by dates, standardised by the training rows with their population deviation") {
  TempFolder folder;
  write_atomic(folder / "dated.csv", std::string_view("day,x\n2020-01-01,1\n2020-01-02,3\n2020-01-05,8\n2020-01-06,2\n2020-01-07,4\n"));
  ParamValues v(series_data_params());
  v.set_from_text(series_data_params(), "train_until", "2020-01-03", "test");  // no such row: the day before counts
  v.set_from_text(series_data_params(), "validation_until", "2020-01-05", "test");
  v.set_from_text(series_data_params(), "test_until", "2020-01-06", "test");
  const SeriesData s = cut_series(read_series(v, folder / "dated.csv"), v);
  CHECK(s.train.end == 2);
  CHECK(s.validation.end == 3);
  CHECK(s.test.end == 4);
  CHECK(s.scale.mean[0] == 2);
  CHECK(s.scale.deviation[0] == 1);
  CHECK(s.z[0] == std::vector<double>{-1, 1, 6, 0, 2});
  CHECK(s.test.origins(1) == 1);
  CHECK(s.test.origins(2) == 0);
  v.set_from_text(series_data_params(), "train_rows", "2", "test");
  CHECK(code_of([&] { cut_series(read_series(v, folder / "dated.csv"), v); }) == "finance.rows");
  CHECK(code_of([] { date_of("2020-02-30", "data.train_until"); }) == "finance.date");
  CHECK(date_of("1970-01-02", "x") == 86'400'000'000'000);
}

TEST_CASE("a scale goes there and back, logarithms too") {
  SeriesScale scale;
  scale.transform = Transform::log;
  scale.mean = {1};
  scale.deviation = {2};
  CHECK(scale.to_model(0, std::exp(3)) == Approx(1));
  CHECK(scale.from_model(0, scale.to_model(0, 7.5)) == Approx(7.5));
}

TEST_CASE("reference forecasts by hand, and none sees more than its history") {
  const std::vector<double> x{1, 2, 4, 8};
  std::vector<double> points(3), q(3);
  repeat_forecast()->forecast(x, points, q);
  CHECK(points == std::vector<double>{8, 8, 8});
  CHECK(q == points);
  seasonal_naive_forecast(2)->forecast(x, points, {});
  CHECK(points == std::vector<double>{4, 8, 4});
  seasonal_naive_forecast(9)->forecast(x, points, {});  // shorter than a season
  CHECK(points == std::vector<double>{8, 8, 8});
  random_walk_forecast(2, true, false, {})->forecast(x, points, {});
  CHECK(points == std::vector<double>{11, 14, 17});
  std::vector<double> at(3);
  random_walk_forecast(0, false, true, {0.975})->forecast(std::vector<double>{1, std::exp(1.0), std::exp(3.0)}, points, at);
  for (std::size_t h = 0; h < 3; ++h) {
    CHECK(points[h] == Approx(std::exp(3.0)));
    CHECK(at[h] == Approx(std::exp(3 + 0.5 * std::sqrt(double(h + 1)) * 1.959963984540054)));  // steps 1 and 2: deviation 1/2
  }
}

TEST_CASE("a walk-forward fold is fitted on the rows before its cut, and no fold reaches a test row") {
  TempFolder folder;
  write_atomic(folder / "w.csv", std::string_view(waves_csv(200)));
  ParamValues v(series_data_params()), w(walk_forward_params());
  for (auto [key, text] : {std::pair{"train_rows", "120"}, {"validation_rows", "40"}}) v.set_from_text(series_data_params(), key, text, "test");
  const auto set = [&](const char* key, const char* text) { w.set_from_text(walk_forward_params(), key, text, "test"); };
  set("folds", "4"), set("first", "40"), set("step", "30"), set("rows", "50"), set("embargo", "5");
  const auto cut = [&] { return cut_series(read_series(v, folder / "w.csv"), v, &w); };
  CHECK(cut().train.end == 120);  // no fold is chosen
  CHECK(cut().fold.empty());
  const std::int64_t begins[] = {45, 75, 105, 135}, ends[] = {95, 125, 155, 160};
  for (int k = 0; k < 4; ++k) {
    set("fold", std::to_string(k + 1).c_str());
    const SeriesData s = cut();
    CHECK(s.train.end == begins[k] - 5);
    CHECK(s.validation.begin == begins[k]);
    CHECK(s.validation.end == ends[k]);
    CHECK(s.test.origins(1) == 0);
    CHECK(s.scale.mean == scale_of(s.panel, begins[k] - 5, Transform::none, true).mean);
    CHECK(s.fold.find("fold " + std::to_string(k + 1) + " of 4") != std::string::npos);
  }
  set("fold", "5");
  CHECK(code_of([&] { cut(); }) == "finance.walk_forward");
  set("folds", "5");
  CHECK(code_of([&] { cut(); }) == "finance.walk_forward");
  set("fold", "1"), set("first", "0");
  CHECK(code_of([&] { cut(); }) == "finance.walk_forward");
}
