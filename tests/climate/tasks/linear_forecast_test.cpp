#include "climate/tasks/linear_forecast.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "tenon/random.hpp"

using namespace tenon;
using namespace tenon::climate;

namespace {

/// x(t + 1) = R x(t) + noise, R a turn by 0.5 in two patterns; 3 years of 100 steps.
AnomalySeries turning(double noise) {
  AnomalySeries s;
  s.points = 4;
  s.step = 10;
  double a = 3, b = 0;
  const Random random(1, 2);
  for (std::int64_t t = 0; t < 300; ++t) {
    s.ticks.push_back(t * 10);
    s.year.push_back(2000 + t / 100);
    const double values[] = {a, b, 2 * a, -b};
    for (int k = 0; k < 4; ++k) s.values.push_back(float(values[k] + noise * double(random.normal(std::uint64_t(t * 4 + k)))));
    const double next = std::cos(0.5) * a - std::sin(0.5) * b;
    b = std::sin(0.5) * a + std::cos(0.5) * b;
    a = next;
  }
  return s;
}

double error(const AnomalySeries& s, const std::vector<float>& forecast, const std::vector<std::int64_t>& initial, std::int64_t leads, std::int64_t l, std::int64_t lead) {
  double sum = 0;
  for (std::size_t i = 0; i < initial.size(); ++i)
    for (std::int64_t p = 0; p < s.points; ++p)
      sum += std::pow(double(forecast[std::size_t((std::int64_t(i) * leads + l) * s.points + p)]) - double(s.field(initial[i] + lead)[p]), 2);
  return std::sqrt(sum / double(initial.size()) / double(s.points));
}

}  // namespace

TEST_CASE("EOFs: unit patterns by falling variance, amplitudes that build the field again", "[climate][eof]") {
  const AnomalySeries s = turning(0);
  std::vector<std::int64_t> times;
  for (std::int64_t t = 0; t < 300; ++t) times.push_back(t);
  const std::vector<double> weights{1.2, 1.2, 0.8, 0.8};
  const Eofs e = fit_eofs(s.values.data(), 4, times, weights, 2);
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 2; ++j) {
      double dot = 0;
      for (int p = 0; p < 4; ++p) dot += e.patterns.data<double>()[i * 4 + p] * e.patterns.data<double>()[j * 4 + p];
      CHECK(dot == Approx(i == j).margin(1e-10));
    }
  CHECK(e.variance_share[0] > e.variance_share[1]);
  CHECK(e.variance_share[0] + e.variance_share[1] == Approx(1).margin(1e-9));  // the series has two patterns
  const Tensor amplitudes = e.amplitudes(s.values.data(), 300);
  double field[4] = {0, 0, 0, 0};
  e.add_field(amplitudes.data<double>() + 2 * 17, field);
  for (int p = 0; p < 4; ++p) CHECK(field[p] == Approx(double(s.field(17)[p])).margin(1e-5));
  // The other Gram matrix: fewer times than points.
  const Eofs few = fit_eofs(s.values.data(), 4, {0, 40, 90}, weights, 2);
  double dot = 0;
  for (int p = 0; p < 4; ++p) dot += few.patterns.data<double>()[p] * few.patterns.data<double>()[4 + p];
  CHECK(dot == Approx(0).margin(1e-10));
}

TEST_CASE("a linear model forecasts what is linear", "[climate][linear]") {
  const AnomalySeries s = turning(0);
  const std::vector<char> usable(300, 1);
  LinearSettings settings;
  settings.eofs = 2;
  settings.days = 1;
  settings.leads = {1, 5};
  const auto model = LinearForecast::fit(s, usable, {1, 1, 1, 1}, settings);
  const std::vector<std::int64_t> initial{10, 50, 200};
  const auto forecast = model.forecast(s, initial);
  CHECK(error(s, forecast, initial, 2, 0, 1) < 1e-4);
  CHECK(error(s, forecast, initial, 2, 1, 5) < 1e-4);
}

TEST_CASE("a ridge chosen by leaving out years shrinks noise to damped persistence", "[climate][linear]") {
  AnomalySeries s = turning(0);
  const Random random(5, 6);  // nothing to learn
  for (std::size_t i = 0; i < s.values.size(); ++i) s.values[i] = random.normal(i);
  const std::vector<char> usable(300, 1);
  LinearSettings settings;
  settings.eofs = 4;
  settings.days = 3;
  settings.leads = {1};
  settings.damped = settings.choose_ridge = true;
  const auto model = LinearForecast::fit(s, usable, {1, 1, 1, 1}, settings);
  CHECK(model.chosen_ridge()[0] >= 1);
  settings.damped = settings.choose_ridge = false;
  const auto plain = LinearForecast::fit(s, usable, {1, 1, 1, 1}, settings);
  double chosen = 0, free = 0;
  for (int i = 0; i < 48; ++i) chosen += std::pow(model.matrices()[0].data<double>()[i], 2), free += std::pow(plain.matrices()[0].data<double>()[i], 2);
  CHECK(chosen < 0.3 * free);
}

TEST_CASE("left out, a year is forecast by what the others say", "[climate][linear]") {
  AnomalySeries s = turning(0);
  for (std::int64_t t = 200; t < 300; ++t)  // the last year runs backwards in sign
    for (int p = 0; p < 4; ++p) s.values[std::size_t(t * 4 + p)] *= t % 2 ? -1.0f : 1.0f;
  const std::vector<char> usable(300, 1);
  LinearSettings settings;
  settings.eofs = 2;
  settings.days = 1;
  settings.leads = {1};
  const auto model = LinearForecast::fit(s, usable, {1, 1, 1, 1}, settings);
  AnomalySeries first = turning(0);
  std::vector<char> two(300, 1);
  std::fill(two.begin() + 200, two.end(), 0);
  const std::vector<std::int64_t> initial{210, 250};
  // What two years alone say of the third, in the patterns of all three: the same patterns, as there are but two.
  const auto alone = LinearForecast::fit(s, two, {1, 1, 1, 1}, settings).forecast(s, initial), out = model.forecast(s, initial, true), in = model.forecast(s, initial);
  for (std::size_t i = 0; i < out.size(); ++i) CHECK(out[i] == Approx(alone[i]).margin(1e-3));
  double difference = 0;
  for (std::size_t i = 0; i < out.size(); ++i) difference = std::max(difference, std::abs(double(out[i] - in[i])));
  CHECK(difference > 0.1);
}

TEST_CASE("positions before and after, also across a gap", "[climate][linear]") {
  AnomalySeries s = turning(0);
  s.ticks.erase(s.ticks.begin() + 50);  // tick 500
  s.year.erase(s.year.begin() + 50);
  s.values.erase(s.values.begin() + 200, s.values.begin() + 204);
  CHECK(s.before(49, 1) == 48);
  CHECK(s.before(50, 2) == 49);
  CHECK_FALSE(s.before(50, 1).has_value());
  CHECK_FALSE(s.before(49, -1).has_value());
  CHECK_FALSE(s.has_history(51, 3, std::vector<char>(299, 1)));
  CHECK(s.has_history(52, 3, std::vector<char>(299, 1)));
}
