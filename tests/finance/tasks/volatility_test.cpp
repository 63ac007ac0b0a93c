#include "finance/tasks/volatility.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include "finance/models/lstm.hpp"
#include "finance/models/nlinear.hpp"
#include "finance/tasks/forecast_fixture.hpp"
#include "finance/tasks/volatility_scoring.hpp"
#include "finance/volatility/risk.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

using namespace tenon;
using namespace tenon::finance;
using namespace tenon::finance_test;

namespace {

/// Days of prices whose moves come and go, without a random generator; business days from 2000-01-03.
std::string prices_csv(int days, double last_close = 0) {
  std::string text = "Date,Open,High,Low,Close,Adj Close,Volume\n";
  double close = 100;
  std::int64_t day = days_from_civil(2000, 1, 3);
  for (int t = 0; t < days; ++t) {
    const double size = 0.004 + 0.008 * std::fabs(std::sin(0.02 * t)), open = close * (1 + 0.3 * size * std::sin(7.1 * t * t));
    close = open * (1 + size * std::sin(3.7 * t * t + 1));
    if (last_close > 0 && t + 1 == days) close = last_close;
    const double high = std::max(open, close) * (1 + size * 0.5), low = std::min(open, close) * (1 - size * 0.4);
    const CivilDate d = civil_from_days(day);
    char line[200];
    std::snprintf(line, sizeof line, "%04d-%02u-%02u,%.6f,%.6f,%.6f,%.6f,%.6f,%d\n", int(d.year), d.month, d.day, open, high, low, close, close, 1000 + t);
    text += line;
    day += weekday_of_days(day) == 5 ? 3 : 1;
  }
  return text;
}

Recipe risk_recipe(const TempFolder& folder, const std::string& text) {
  write_atomic(folder / "prices.csv", std::string_view(text));
  Recipe r(volatility_task());
  r.set("data", "file", (folder / "prices.csv").string()).set("data", "train_until", "2001-12-31").set("data", "validation_until", "2002-06-28");
  return r;
}

nn::ModulePtr model_of(const Task& task, const ModelEntry& entry, const std::vector<std::pair<std::string, std::string>>& values) {
  ParamValues v(entry.params);
  for (const auto& [name, text] : values) v.set_from_text(entry.params, name, text, "test");
  auto model = entry.make(v, task.model_context());
  model->initialise(4);
  model->eval();
  return model;
}

}  // namespace

TEST_CASE("no volatility feature knows what came after its day") {
  TempFolder folder;
  Recipe r = risk_recipe(folder, prices_csv(700));
  CHECK(r.task()->check({}).empty());
  // and a forecast for a day has the same bits with or without the days from it on
  auto task = r.task();
  task->load({});
  const auto& risk = static_cast<const VolatilityTask&>(*task);
  auto model = model_of(*task, nlinear_model(), {{"normalise", "none"}});
  const auto whole = risk.forecast(*model, risk.features(), {}), cut = risk.forecast(*model, risk.features().head(500), {});
  REQUIRE(cut.variance.size() == 500 - std::size_t(cut.first) + 1);
  for (std::size_t i = 0; i < cut.variance.size(); ++i) {
    CHECK(cut.variance[i] == whole.variance[i]);
    for (std::size_t k = 0; k < 3; ++k) CHECK((cut.var[k][i] == whole.var[k][i] || (std::isnan(cut.var[k][i]) && std::isnan(whole.var[k][i]))));
  }
}

TEST_CASE("features of a day by hand") {
  Panel p;
  p.times = {0, kNsPerDay};
  p.names = {"o", "h", "l", "c", "a"};
  p.values = {10, 12, 9, 11, 5, 11, 11.5, 10, 10.5, 5.5};
  const Panel f = volatility_features(p, {"o", "h", "l", "c", "a"});
  REQUIRE(f.columns() == 8);
  CHECK(f.at(0, 0) == 0);
  CHECK(f.at(1, 0) == Approx(10));
  const double first = 0.5 * std::pow(100 * std::log(12 / 9.0), 2) - (2 * std::log(2.0) - 1) * std::pow(100 * std::log(1.1), 2);
  const double second = 0.5 * std::pow(100 * std::log(1.15), 2) - (2 * std::log(2.0) - 1) * std::pow(100 * std::log(10.5 / 11), 2);  // no gap
  CHECK(f.at(0, 1) == Approx(first));
  CHECK(f.at(1, 1) == Approx(second));
  CHECK(f.at(0, 2) == Approx(std::log(first + 1e-4)));
  CHECK(f.at(1, 2) == Approx(std::log((first + second) / 2 + 1e-4)));                              // half-life of one day
  CHECK(f.at(1, 3) == Approx(std::log(first + (1 - std::exp2(-0.2)) * (second - first) + 1e-4)));  // of five
  CHECK(f.at(1, 6) == Approx(std::log(1e-4)));                                                     // no fall
  auto broken = p;
  broken.values[1] = 8;
  CHECK(code_of([&] { volatility_features(broken, {"o", "h", "l", "c", "a"}); }) == "finance.price_order");
  broken = p;
  broken.values[4] = -1;
  CHECK(code_of([&] { volatility_features(broken, {"o", "h", "l", "c", "a"}); }) == "finance.price");
}

TEST_CASE("a model of zero weights is persistence at the training level, and VaR scales the quantile of past residuals") {
  TempFolder folder;
  Recipe r = risk_recipe(folder, prices_csv(900));
  r.set("risk", "residuals", "300").set("risk", "level_half_life", "100");
  auto task = r.task();
  task->load({});
  const auto& risk = static_cast<const VolatilityTask&>(*task);
  auto model = model_of(*task, nlinear_model(), {{"normalise", "none"}, {"zero_start", "true"}});
  const auto f = risk.forecast(*model, risk.features(), {});
  const auto returns = risk.features().series(0), averaged = risk.features().series(4);
  // business days of 2000 and 2001 behind the warm-up are fitted on
  const std::size_t begin = std::size_t(f.first), end = 521;
  CHECK(time_text(risk.features().times[end - 1]) == "2001-12-31");
  double mean = 0, variance = 0, level = 0;
  for (std::size_t t = begin; t < end; ++t) mean += returns[t] / double(end - begin);
  for (std::size_t t = begin; t < end; ++t) variance += (returns[t] - mean) * (returns[t] - mean), level += std::exp(averaged[t - 1]);
  std::vector<double> residuals;
  double ratio = 1;  // average of squared deviations over persistence, a half-life of 100 days
  for (std::size_t i = 0; i < 600; ++i) {
    const double persistence = std::exp(averaged[begin + i - 1]) * variance / level, expected = persistence * ratio;
    ratio += (1 - std::exp2(-0.01)) * ((returns[begin + i] - mean) * (returns[begin + i] - mean) / persistence - ratio);
    CHECK(f.variance[i] == Approx(expected).epsilon(1e-9));
    residuals.push_back((returns[begin + i] - mean) / std::sqrt(expected));
  }
  const std::size_t day = 500;
  const std::vector<double> last(residuals.begin() + 200, residuals.begin() + 500);
  const double levels[] = {0.01, 0.025, 0.05};
  for (std::size_t k = 0; k < 3; ++k) CHECK(f.var[k][day] == Approx(-(mean + std::sqrt(f.variance[day]) * sample_quantile(last, levels[k]))).epsilon(1e-9));
  CHECK(std::isnan(f.var[0][249]));
  CHECK(std::isfinite(f.var[0][250]));
  CHECK(std::isnan(f.pit.back()));
}

TEST_CASE("risk scores agree with the volatility tools' own") {
  const std::vector<double> returns{0.5, -2, 1, -0.1, 0.3, -3}, levels{0.05};
  RiskForecasts f{"model", "", {1, 1, 2, 1, 0.5, 4}, {{1.6, 1.6, 2.3, 1.6, 1.1, 3.2}}};
  const RiskScores s = score_risk(returns, 0, f, levels);
  CHECK(s.hits[0] == std::vector<std::uint8_t>{0, 1, 0, 0, 0, 0});
  std::vector<double> realised;
  for (double r : returns) realised.push_back(r * r);
  const auto values = risk_values(s, levels, 0, 6, true);
  CHECK(values[0] == Approx(qlike(realised, f.variance)));
  CHECK(values[2] == Approx(100.0 / 6));
  CHECK(values[3] == Approx(kupiec(6, 1, 0.05).p));
  CHECK(values[4] == Approx(christoffersen(s.hits[0]).p));
  CHECK(s.tail_loss[0][1] == Approx(2 * 0.95 * 0.4));
  CHECK(s.tail_loss[0][0] == Approx(2 * 0.05 * 2.1));
  const auto totals = risk_totals(s, levels);
  CHECK(totals.size() == risk_columns(levels).size());
  CHECK(totals[0].value == values[0]);
  CHECK(std::isnan(totals[0].low));  // one block of 20 days would hold all six
  CHECK(std::isnan(risk_values(s, levels, 0, 6, false)[3]));
}

TEST_CASE("a volatility run scores years beside GARCH, predicts the next day, and its state is enough") {
  TempFolder folder;
  Recipe r = risk_recipe(folder, prices_csv(900));
  r.set("baselines", "window", "400").set("baselines", "refit_every", "100");
  auto task = r.task();
  task->load({});
  auto model = model_of(*task, lstm_model(), {{"normalise", "none"}, {"hidden", "4"}});
  const Evaluation e = task->evaluate(*model, "test", 4, {});
  REQUIRE(e.cases.size() == 2);
  CHECK(e.cases[0].id == "2002");
  CHECK(e.baselines.size() == 3);
  CHECK(e.charts.size() == 4);
  CHECK(e.totals.size() == e.columns.size());
  CHECK(std::isfinite(task->score(e)));
  // of the days before the last, predictions are the forecasts that were scored
  auto fresh = r.task();
  fresh->load_state(task->state());
  PredictOptions options;
  options.output = folder / "out";
  const auto written = fresh->predict(*model, {folder / "prices.csv"}, options);
  const std::string text = read_text(written.at(0));
  CHECK(written[0].filename() == "prices.risk.csv");
  CHECK(text.starts_with("after,deviation,VaR_0.01,VaR_0.025,VaR_0.05\n2000-"));
  CHECK(std::count(text.begin(), text.end(), '\n') == 1 + 900 - 60 + 1);
  CHECK(code_of([&] { fresh->predict(*model, {folder / "prices.csv"}, options); }) == "predict.exists");
  CHECK(code_of([&] { fresh->load_state("{}"); }) == "finance.state");
}

TEST_CASE("volatility data and recipes that do not fit are refused by name") {
  TempFolder folder;
  auto loading = [&](const std::string& text, const std::vector<std::array<std::string, 3>>& values) {
    return code_of([&] {
      Recipe r = risk_recipe(folder, text);
      for (const auto& v : values) r.set(v[0], v[1], v[2]);
      auto task = r.task();
      task->require_inputs();
      task->load({});
    });
  };
  const std::string prices = prices_csv(700);
  CHECK(loading(prices, {}) == "none");
  CHECK(loading(prices, {{"data", "train_until", "2000-06-30"}}) == "finance.rows");
  CHECK(loading(prices, {{"data", "train_until", "June"}}) == "finance.date");
  CHECK(loading(prices, {{"data", "train_until", ""}}) == "finance.recipe");
  CHECK(loading(prices, {{"data", "price", "Adjusted"}}) == "finance.no_column");
  CHECK(loading(prices, {{"risk", "levels", "[0.05, 0.01]"}}) == "finance.recipe");
  CHECK(loading(prices_csv(700, 1e6), {{"data", "test_until", "2001-01-01"}}) == "finance.rows");
  // what prices must hold: a high below the low, and a jump of a split's ratio that nobody declared
  std::string odd = prices;
  const std::size_t line = odd.find("2000-02-01"), high = odd.find(',', odd.find(',', line) + 1) + 1;
  odd.replace(high, odd.find(',', high) - high, "1.000000");
  CHECK(loading(odd, {}) == "finance.price_order");
  std::string halved = prices.substr(0, prices.find("2001-03-01"));
  std::istringstream rest(prices.substr(halved.size()));
  for (std::string day; std::getline(rest, day);) {
    std::vector<std::string> cells;
    std::istringstream fields(day);
    for (std::string cell; std::getline(fields, cell, ',');) cells.push_back(cell);
    halved += cells[0];
    for (int i = 1; i <= 5; ++i) halved += "," + std::to_string(std::stod(cells[std::size_t(i)]) / 2);
    halved += "," + cells[6] + "\n";
  }
  CHECK(loading(halved, {}) == "finance.split");
  CHECK(loading(halved, {{"data", "splits", "[\"2001-03-01=2\"]"}}) == "finance.split");  // declared, but not taken out of the prices
  CHECK(loading(halved, {{"data", "splits", "[\"2001-03-01=1\"]"}}) == "none");           // a true move
}

TEST_CASE("GARCH beside the S&P 500, every day of 2003 to 2018") {
  const auto file = finance_file("arch_data/sp500.csv.gz");
  if (!file) return;
  Recipe r(volatility_task());
  r.set("data", "file", file->string()).set("data", "date_order", "month").set("data", "train_until", "2002-12-31").set("baselines", "refit_every", "250");
  auto task = r.task();
  task->load({});
  auto model = model_of(*task, nlinear_model(), {{"normalise", "none"}, {"zero_start", "true"}});
  const Evaluation e = task->evaluate(*model, "test", 0, {});
  CHECK(e.cases.size() == 16);
  // 4,027 days; GARCH must beat the last 1,000 days' variance
  CHECK(e.baselines.at(0).values.at(0) < e.baselines.at(2).values.at(0));
}
