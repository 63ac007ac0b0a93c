#include "finance/tasks/forecast.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <vector>

#include "finance/models/nlinear.hpp"
#include "finance/models/patchtst.hpp"
#include "finance/tasks/forecast_fixture.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/kernel.hpp"

using namespace tenon;
using namespace tenon::finance;
using namespace tenon::finance_test;

namespace {

const std::string kWaves = waves_csv(200);

nn::ModulePtr repeat_model(const Task& task) {
  const ModelEntry entry = nlinear_model();
  ParamValues v(entry.params);
  v.set_from_text(entry.params, "zero_start", "true", "test");
  auto model = entry.make(v, task.model_context());
  model->initialise(1);
  model->eval();
  return model;
}

double column(const Evaluation& e, const std::string& name) {
  for (std::size_t k = 0; k < e.columns.size(); ++k)
    if (e.columns[k].name == name) {
      if (!std::isnan(e.totals[k].value)) return e.totals[k].value;
      double sum = 0;
      for (const auto& c : e.cases) sum += c.values[k];
      return sum / double(e.cases.size());
    }
  FAIL("no column " << name);
  return 0;
}

const Baseline& baseline(const Evaluation& e, const std::string& name) {
  for (const auto& b : e.baselines)
    if (b.name == name) return b;
  FAIL("no baseline " << name);
  return e.baselines.front();
}

}  // namespace

TEST_CASE("Repeat on the exchange rates, all windows, to the published digits") {
  const auto file = finance_file("exchange_rate/exchange_rate.txt.gz");
  if (!file) return;
  Recipe r;
  r.set("data", "file", file->string()).set("data", "header", "no").set("data", "train_rows", "5311").set("data", "validation_rows", "760");
  r.set("data", "test_rows", "1517").set("window", "horizons", "[96, 192, 336, 720]").set("metrics", "season", "5");
  auto task = r.task();
  task->load({});
  auto model = repeat_model(*task);
  const Evaluation e = task->evaluate(*model, "test", 0, {});
  REQUIRE(e.cases.size() == 8);
  const double mse[] = {0.08112569259697826, 0.16711895134048904, 0.3056997217031899, 0.8100644170721476};
  const double mae[] = {0.19635661926016923, 0.2886756792265632, 0.39781499815866483, 0.6764451581766727};
  const auto& repeat = baseline(e, "repeat").values;
  for (std::size_t h = 0; h < 4; ++h) {
    // the baseline in double, the model of zero weights in float
    CHECK(repeat[h] == Approx(mse[h]).epsilon(1e-12));
    CHECK(repeat[5 + h] == Approx(mae[h]).epsilon(1e-12));
    CHECK(e.totals[h].value == Approx(mse[h]).epsilon(1e-6));
    CHECK(e.totals[h].low < e.totals[h].value);
    CHECK(e.totals[h].high > e.totals[h].value);
  }
  CHECK(column(e, "MSE mean") == Approx(0.341002158).epsilon(1e-6));
  CHECK(e.notes.front().find("1422 of 96 steps, 1326 of 192 steps, 1182 of 336 steps, 798 of 720 steps") != std::string::npos);
}

TEST_CASE("seasonal naive and random walk on the last 30 days of the exchange rates") {
  const auto file = finance_file("exchange_rate/exchange_rate.txt.gz");
  if (!file) return;
  for (const auto& [window, wql] : std::vector<std::pair<int, double>>{{60, .010515609}, {125, .010582355}, {250, .010512285}, {500, .010510952}}) {
    Recipe r;
    r.set("data", "file", file->string()).set("data", "header", "no").set("data", "train_rows", "7558").set("data", "test_rows", "30");
    r.set("window", "horizons", "[30]").set("window", "look_back", "30").set("loss", "kind", "quantile").set("metrics", "season", "5");
    r.set("metrics", "scores", "[\"wql\", \"mase\"]").set("baselines", "walk_window", std::to_string(window)).set("baselines", "walk_logarithms", "true");
    auto task = r.task();
    task->load({});
    auto model = repeat_model(*task);
    const Evaluation e = task->evaluate(*model, "test", 0, {});
    const auto& naive = baseline(e, "seasonal naive").values;
    CHECK(naive[0] == Approx(0.01298413867269787).epsilon(1e-12));
    CHECK(naive[1] == Approx(1.7401831489630368).epsilon(1e-12));
    CHECK(baseline(e, "random walk").values[0] == Approx(wql).epsilon(1e-7));
  }
}

TEST_CASE("five consecutive windows of the exchange rates: every forecast with all rows before it") {
  const auto file = finance_file("exchange_rate/exchange_rate.txt.gz");
  if (!file) return;
  for (const auto& [window, wql] : std::vector<std::pair<int, double>>{{60, .0067156}, {250, .0068863}, {3000, .0085524}}) {
    Recipe r;
    r.set("data", "file", file->string()).set("data", "header", "no").set("data", "train_rows", "6071").set("data", "test_rows", "150");
    r.set("window", "horizons", "[30]").set("window", "look_back", "30").set("window", "origin_step", "30").set("loss", "kind", "quantile");
    std::string levels = "[0.05";
    for (int i = 2; i < 20; ++i) levels += ", " + std::to_string(0.05 * i);
    r.set("loss", "quantiles", levels + "]").set("metrics", "scores", "[\"wql\", \"coverage\"]");
    r.set("baselines", "walk_window", std::to_string(window)).set("baselines", "walk_logarithms", "true");
    auto task = r.task();
    task->load({});
    auto model = repeat_model(*task);
    const Evaluation e = task->evaluate(*model, "test", 0, {});
    CHECK(baseline(e, "random walk").values[0] == Approx(wql).margin(6e-8));
  }
}

TEST_CASE("Repeat on ETTh1, all windows") {
  const auto file = finance_file("ett/ETTh1.csv");
  if (!file) return;
  Recipe r;
  r.set("data", "file", file->string()).set("data", "train_rows", "8640").set("data", "validation_rows", "2880").set("data", "test_rows", "2880");
  r.set("window", "horizons", "[96, 720]").set("metrics", "season", "24");
  auto task = r.task();
  task->load({});
  const Evaluation e = task->evaluate(*repeat_model(*task), "test", 0, {});
  const auto& repeat = baseline(e, "repeat").values;
  CHECK(repeat[0] == Approx(1.294370594784508).epsilon(1e-12));
  CHECK(repeat[1] == Approx(1.3351206768325168).epsilon(1e-12));
  CHECK(repeat[3] == Approx(.7131813544).epsilon(1e-9));
}

TEST_CASE("training samples are windows of the training rows, the same for any order of asking") {
  TempFolder folder;
  Recipe r = waves_recipe(folder, kWaves);
  auto task = r.task();
  task->load({});
  const auto& forecast = static_cast<const ForecastTask&>(*task);
  CHECK(task->train_samples() == (120 - 16 - 8 + 1) * 2);
  auto batch_at = [&](std::int64_t step) {
    std::vector<Tensor> batch;
    for (const auto& spec : task->batch_spec()) batch.push_back(Tensor::zeros(spec.shape, spec.dtype));
    task->fill_batch(step, Random(7, 0), batch);
    return batch;
  };
  const auto third = batch_at(3), again = (batch_at(0), batch_at(3));
  CHECK(third[0].to_vector() == again[0].to_vector());
  // each sample is a piece of one series that ends within the training rows
  std::set<std::pair<std::size_t, std::int64_t>> seen;
  const std::int64_t steps = task->train_samples() / 4;
  for (std::int64_t step = 0; step < steps; ++step) {
    const auto batch = batch_at(step);
    for (std::int64_t j = 0; j < 4; ++j) {
      bool found = false;
      for (std::size_t i = 0; i < 2 && !found; ++i)
        for (std::int64_t t = 0; t + 24 <= 120 && !found; ++t) {
          found = true;
          for (std::int64_t k = 0; k < 24 && found; ++k) {
            const float x = k < 16 ? batch[0].data<float>()[j * 16 + k] : batch[1].data<float>()[j * 8 + k - 16];
            found = x == float(forecast.data().z[i][std::size_t(t + k)]);
          }
          if (found) CHECK(seen.emplace(i, t).second);
        }
      REQUIRE(found);
    }
  }
}

TEST_CASE("the scale and the forecasts up to a day do not change when later rows do") {
  TempFolder folder;
  std::string later = kWaves;
  // the last 20 rows become another world
  std::size_t at = later.size();
  for (int i = 0; i < 21; ++i) at = later.rfind('\n', at - 1);
  std::string changed = later.substr(0, at + 1);
  for (int i = 0; i < 20; ++i) changed += std::to_string(1000 + 37 * i) + "," + std::to_string(5000 - 11 * i * i) + "\n";
  std::vector<Evaluation> results;
  for (const auto& text : {kWaves, changed}) {
    Recipe r = waves_recipe(folder, text);
    r.set("data", "test_rows", "40");
    auto task = r.task();
    task->load({});
    const ModelEntry entry = nlinear_model();
    auto model = entry.make(ParamValues(entry.params), task->model_context());
    model->initialise(5);
    results.push_back(task->evaluate(*model, "validation", 0, {}));
  }
  for (std::size_t c = 0; c < 2; ++c) CHECK(results[0].cases[c].values == results[1].cases[c].values);
}

TEST_CASE("an evaluation has the same bits for 1, 2 and 4 threads") {
  TempFolder folder;
  std::vector<std::vector<double>> values;
  for (const char* threads : {"1", "2", "4"}) {
    set_thread_count(std::atoi(threads));
    Recipe r = waves_recipe(folder, kWaves);
    r.set("loss", "kind", "quantile").set("metrics", "scores", "[\"wql\", \"mse\", \"mase\", \"smape\", \"coverage\"]");
    r.set("baselines", "published", "[\"someone | WQL 4 = 1, WQL 8 = 2 | elsewhere\"]");
    auto task = r.task();
    task->load({});
    const ModelEntry entry = patchtst_model();
    ParamValues v(entry.params);
    v.set_from_text(entry.params, "patch", "4", "test");
    auto model = entry.make(v, task->model_context());
    model->initialise(5);
    model->eval();
    const Evaluation e = task->evaluate(*model, "test", 2, {});
    std::vector<double> all;
    for (const auto& c : e.cases) all.insert(all.end(), c.values.begin(), c.values.end());
    for (const auto& t : e.totals) all.push_back(t.value);
    for (const auto& b : e.baselines) all.insert(all.end(), b.values.begin(), b.values.end());
    all.erase(std::remove_if(all.begin(), all.end(), [](double x) { return std::isnan(x); }), all.end());
    values.push_back(all);
    CHECK(e.charts.size() == 4);  // error by step, calibration, two forecasts
    for (const auto& b : e.baselines) CHECK(b.values.size() == e.columns.size());
    CHECK(e.baselines.back().name == "someone");
  }
  CHECK(values[0] == values[1]);
  CHECK(values[0] == values[2]);
}

TEST_CASE("predictions are written with the run's scale, and prediction needs no training data") {
  TempFolder folder;
  Recipe r = waves_recipe(folder, kWaves);
  auto trained = r.task();
  trained->load({});
  Recipe elsewhere = waves_recipe(folder, kWaves);
  elsewhere.set("data", "file", (folder / "gone.csv").string());
  auto task = elsewhere.task();
  task->load_state(trained->state());
  write_atomic(folder / "today.csv", std::string_view("b,a\n" + [] {
                 std::string rows;
                 for (int i = 0; i < 20; ++i) rows += std::to_string(200 + i) + "," + std::to_string(10 + i) + "\n";
                 return rows;
               }()));
  PredictOptions options;
  options.output = folder / "out";
  auto model = repeat_model(*task);
  const auto written = task->predict(*model, {folder / "today.csv"}, options);
  REQUIRE(written.size() == 1);
  CHECK(written[0].filename() == "today.forecast.csv");
  const std::string text = read_text(written[0]);
  CHECK(text.starts_with("series,step,forecast\na,1,"));
  CHECK(std::stod(text.substr(text.find("\na,1,") + 5)) == Approx(29).epsilon(1e-6));
  CHECK(std::stod(text.substr(text.find("\nb,8,") + 5)) == Approx(219).epsilon(1e-6));
  CHECK(code_of([&] { task->predict(*model, {folder / "today.csv"}, options); }) == "predict.exists");
  write_atomic(folder / "short.csv", std::string_view("a,b\n1,2\n3,4\n"));
  CHECK(code_of([&] { task->predict(*model, {folder / "short.csv"}, options); }) == "finance.short_history");
  write_atomic(folder / "other.csv", std::string_view("a,c\n1,2\n3,4\n"));
  CHECK(code_of([&] { task->predict(*model, {folder / "other.csv"}, options); }) == "finance.no_column");
}

TEST_CASE("data and recipes that do not fit are refused by name") {
  TempFolder folder;
  auto loading = [&](const std::string& text, const std::vector<std::array<std::string, 3>>& values) {
    return code_of([&] {
      Recipe r = waves_recipe(folder, text);
      for (const auto& v : values) r.set(v[0], v[1], v[2]);
      r.task()->load({});
    });
  };
  CHECK(loading(kWaves, {}) == "none");
  CHECK(loading(kWaves, {{"data", "train_rows", "300"}}) == "finance.rows");
  CHECK(loading(kWaves, {{"data", "train_rows", "20"}}) == "finance.rows");
  CHECK(loading(kWaves, {{"data", "train_until", "2003-01-01"}, {"data", "train_rows", "0"}}) == "finance.rows");  // no dates in the file
  CHECK(loading(kWaves, {{"data", "names", "[\"x\"]"}}) == "finance.names");
  CHECK(loading("a,b\n1,2\n,4\n5,6\n", {}) == "finance.missing");
  CHECK(loading(constant_csv(200), {}) == "finance.constant_series");
  CHECK(loading(kWaves, {{"data", "transform", "log"}}) == "finance.not_positive");
  CHECK(loading(kWaves, {{"window", "horizons", "[8, 4]"}}) == "finance.recipe");
  CHECK(loading(kWaves, {{"metrics", "scores", "[\"wql\"]"}}) == "finance.recipe");
  CHECK(loading(kWaves, {{"loss", "kind", "quantile"}, {"loss", "quantiles", "[0.9, 0.1]"}}) == "finance.recipe");
  try {
    Recipe r = waves_recipe(folder, "a,b\n1,2\n,4\n5,6\n");
    r.task()->load({});
  } catch (const Error& e) {
    CHECK(e.where().ends_with("waves.csv:3"));
    CHECK(e.message().find("'a'") != std::string::npos);
  }
  // check() lists what load() throws
  Recipe r = waves_recipe(folder, "a,b\n1,2\n,4\n5,6\n");
  const auto problems = r.task()->check({});
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].code == "finance.missing");
}

TEST_CASE("published figures stand in the column they name, or nowhere") {
  TempFolder folder;
  const auto baselines_of = [&](const std::string& published) {
    Recipe r = waves_recipe(folder, kWaves);
    r.set("baselines", "published", "[\"" + published + "\"]");
    auto task = r.task();
    task->load({});
    return task->evaluate(*repeat_model(*task), "test", 0, {}).baselines;
  };
  const auto both = baselines_of("someone | MSE 8 = 0.2, MSE 96 = 0.9, MSE 4 = 0.1 | elsewhere").back();
  CHECK(both.name == "someone");
  CHECK(both.values[0] == 0.1);  // MSE 4, MSE 8, their mean, MAE...
  CHECK(both.values[1] == 0.2);
  CHECK(both.values[2] == Approx(0.15));
  CHECK(std::isnan(both.values[3]));
  const auto one = baselines_of("someone | MAE 8 = 0.2, MSE 720 = 3 | elsewhere").back();
  CHECK(std::isnan(one.values[0]));
  CHECK(one.values[4] == 0.2);
  CHECK(std::isnan(one.values[5]));
  CHECK(baselines_of("someone | MSE 96 = 0.1, MSE 720 = 3 | elsewhere").back().name != "someone");
  for (const char* wrong : {"someone | 0.1, 0.2 | elsewhere", "someone | MES 4 = 1 | x", "someone | MSE 4 = 1, MSE 4 = 2 | x", "someone | MSE 4 = one | x", "someone | MSE mean = 1 | x", "MSE 4 = 1"})
    CHECK(code_of([&] { baselines_of(wrong); }) == "finance.published");
}

TEST_CASE("coverage is best at the nominal level") {
  TempFolder folder;
  Recipe r = waves_recipe(folder, kWaves);
  r.set("loss", "kind", "quantile").set("metrics", "scores", "[\"coverage\"]");
  for (const auto& column : r.task()->columns()) {
    CHECK(column.ideal == Approx(0.8));
    CHECK(column.merit(0.81) > column.merit(0.95));
  }
}

TEST_CASE("fewer origins than steps: no test and no interval") {
  TempFolder folder;
  Recipe r = waves_recipe(folder, kWaves);
  r.set("window", "horizons", "[4, 36]");  // 37 and 5 origins in 40 rows
  auto task = r.task();
  task->load({});
  const Evaluation e = task->evaluate(*repeat_model(*task), "test", 0, {});
  CHECK(e.totals[0].low < e.totals[0].high);
  CHECK(std::isfinite(e.totals[1].value));
  CHECK(std::isnan(e.totals[1].low));
  CHECK(std::isnan(e.totals[1].high));
  int told = 0;
  for (const auto& note : e.notes) told += note.find("H 36: - (5 origins: more than 36 are needed)") != note.npos;
  CHECK(told == 3);
}
