#include "climate/tasks/operator.hpp"

#include "climate/models/models.hpp"
#include "climate/task_test.hpp"
#include "tenon/io/npy.hpp"
#include "tenon/ops.hpp"

using namespace tenon;
using namespace tenon::climate;
using namespace tenon::climate_test;
namespace fs = std::filesystem;

namespace {

/// y = 3 x + 1 on n fields of `side` x `side` points, x by seed.
void write_pairs(const Folder& folder, const std::string& name, std::int64_t n, std::int64_t side, std::uint64_t seed) {
  const Tensor x = random_normal({n, side, side}, seed, 0);
  save_npy(folder / (name + "_x.npy"), x);
  save_npy(folder / (name + "_y.npy"), (x * 3.0 + 1.0).contiguous());
}

Overrides darcy_like(const Folder& folder, Overrides more = {}) {
  Overrides all{{"data.root", folder.path().string()},
                {"data.train_input", "train_x.npy"},
                {"data.train_target", "train_y.npy"},
                {"data.tests", "[\"coarse | a_x.npy | a_y.npy\", \"fine | b_x.npy | b_y.npy\"]"}};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

/// What a perfect network of the scaled fields says: the first channel back.
class Echo final : public nn::Module {
 public:
  Tensor forward(const Tensor& x) override { return x.narrow(3, 0, 1).contiguous(); }
};

void write_sets(const Folder& folder) {
  write_pairs(folder, "train", 20, 4, 1);
  write_pairs(folder, "a", 5, 4, 2);
  write_pairs(folder, "b", 5, 8, 3);
}

}  // namespace

TEST_CASE("operator: a network that is right scores 0, and baselines stand beside it", "[climate][operator]") {
  Folder folder;
  write_sets(folder);
  OperatorTask task(context_of(operator_task(), darcy_like(folder)));
  task.require_inputs();
  CHECK(task.check({}).empty());
  task.load({});
  CHECK(task.splits() == std::vector<std::string>{"train", "validation"});
  Echo echo;
  const Evaluation e = task.evaluate(echo, "validation", 1, {});
  REQUIRE(e.columns.size() == 2);
  CHECK(e.columns[1].name == "relative L2 fine");
  REQUIRE(e.cases.size() == 5);
  for (const auto& c : e.cases)
    for (double v : c.values) CHECK(v < 1e-3);  // target moments are those of the inputs but for sampling
  REQUIRE(e.baselines.size() == 2);
  CHECK(e.baselines[0].values[0] > 0.5);
  std::size_t pictured = 0;
  for (const auto& c : e.cases) pictured += c.pictures.size();
  CHECK(pictured == 1);
}

TEST_CASE("operator: batches are turned together and do not depend on anything but the step", "[climate][operator]") {
  Folder folder;
  write_sets(folder);
  OperatorTask task(context_of(operator_task(), darcy_like(folder, {{"data.symmetries", "[\"transpose\", \"flip_rows\"]"}, {"data.coordinates", "false"}}), 8));
  task.load({});
  auto batch = [&](std::int64_t step) {
    std::vector<Tensor> b;
    for (const auto& s : task.batch_spec()) b.push_back(Tensor::empty(s.shape, s.dtype));
    task.fill_batch(step, Random(9, 1), b);
    return b;
  };
  const auto b = batch(3);
  // y = 3 x + 1 holds point by point after scaling back, so inputs and targets were turned alike.
  const auto x = b[0].to_vector(), y = b[1].to_vector();
  double a = (y[1] - y[0]) / (x[1] - x[0]);
  for (std::size_t i = 1; i < x.size(); ++i) CHECK(y[i] - y[0] == Approx(a * (x[i] - x[0])).margin(1e-4));
  CHECK(batch(3)[0].to_vector() == x);
  CHECK(batch(4)[0].to_vector() != x);
}

TEST_CASE("operator: held-back samples make the validation split", "[climate][operator]") {
  Folder folder;
  write_sets(folder);
  OperatorTask task(context_of(operator_task(), darcy_like(folder, {{"data.hold_back", "6"}})));
  task.load({});
  CHECK(task.train_samples() == 14);
  CHECK(task.splits() == std::vector<std::string>{"train", "validation", "test"});
  Echo echo;
  CHECK(task.evaluate(echo, "validation", 0, {}).cases.size() == 6);
  CHECK(task.evaluate(echo, "test", 0, {}).cases.size() == 5);
  CHECK(code_of([&] { task.evaluate(echo, "nowhere", 0, {}); }) == "climate.no_split");
}

TEST_CASE("operator: what is wrong is refused", "[climate][operator]") {
  Folder folder;
  write_sets(folder);
  auto load = [&](Overrides more) { OperatorTask(context_of(operator_task(), darcy_like(folder, std::move(more)))).load({}); };
  SECTION("a test sample that was trained on") {
    const Tensor x = load_npy(folder / "train_x.npy"), y = load_npy(folder / "train_y.npy");
    save_npy(folder / "a_x.npy", x.narrow(0, 3, 2).contiguous());
    save_npy(folder / "a_y.npy", y.narrow(0, 3, 2).contiguous());
    CHECK(code_of([&] { load({}); }) == "climate.leak");
    OperatorTask task(context_of(operator_task(), darcy_like(folder)));
    const auto problems = task.check({});
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].code == "climate.leak");
    CHECK(problems[0].message.find("sample 0 of 'coarse' is sample 3") != std::string::npos);
  }
  SECTION("a NaN") {
    Tensor x = load_npy(folder / "train_x.npy");
    x.data<float>()[16 * 7 + 2] = NAN;
    save_npy(folder / "train_x.npy", x);
    CHECK(code_of([&] { load({}); }) == "climate.not_finite");
  }
  SECTION("targets of another grid") {
    write_pairs(folder, "a", 5, 8, 4);
    save_npy(folder / "a_x.npy", random_normal({5, 4, 4}, 1, 1));
    CHECK(code_of([&] { load({}); }) == "climate.fields");
  }
  SECTION("recipes") {
    CHECK(code_of([&] { load({{"data.tests", "[\"just a name\"]"}}); }) == "climate.recipe");
    CHECK(code_of([&] { load({{"data.hold_back", "20"}}); }) == "climate.recipe");
    fs::remove(folder / "b_y.npy");
    CHECK(code_of([&] { OperatorTask(context_of(operator_task(), darcy_like(folder))).require_inputs(); }) == "climate.no_file");
  }
}

TEST_CASE("operator: what a run keeps predicts alike, damaged states are refused", "[climate][operator]") {
  Folder folder;
  write_sets(folder);
  OperatorTask trained(context_of(operator_task(), darcy_like(folder)));
  trained.load({});
  OperatorTask fresh(context_of(operator_task(), darcy_like(folder)));
  fresh.load_state(trained.state());
  Echo echo;
  PredictOptions options;
  options.output = folder / "out";
  const auto files = fresh.predict(echo, {folder / "b_x.npy"}, options);
  REQUIRE(files.size() == 1);
  const Tensor guess = load_npy(files[0]), truth = load_npy(folder / "b_y.npy");
  CHECK(guess.shape() == truth.shape());
  for (std::int64_t i = 0; i < truth.numel(); ++i) CHECK(guess.data<float>()[i] == Approx(truth.data<float>()[i]).margin(2e-3));
  CHECK(code_of([&] { fresh.predict(echo, {folder / "b_x.npy"}, options); }) == "predict.exists");
  CHECK(code_of([&] { fresh.load_state("{"); }) == "climate.state");
  CHECK(code_of([&] { fresh.load_state("{\"task\": \"climate.forecast\"}"); }) == "climate.state");
}

TEST_CASE("Darcy: the mean field scores what the data's README says", "[climate][operator]") {
  const fs::path data = shared_climate();
  if (data.empty()) {
    WARN("skipped: needs the shared climate data (set TENON_DATA)");
    return;
  }
  const FieldPairs train = read_pairs("train", data / "darcy/darcy_train_16_x.npy", data / "darcy/darcy_train_16_y.npy");
  const FieldPairs test = read_pairs("16x16", data / "darcy/darcy_test_16_x.npy", data / "darcy/darcy_test_16_y.npy");
  const FieldBaselines simple(train, 1);
  auto score = [&](const Tensor& guess) {
    double sum = 0;
    for (std::int64_t s = 0; s < test.count(); ++s) {
      double e = 0, y = 0;
      for (std::int64_t i = s * 256; i < (s + 1) * 256; ++i) {
        const double g = double(guess.data<float>()[i]), t = double(test.target.data<float>()[i]);
        e += (g - t) * (g - t), y += t * t;
      }
      sum += std::sqrt(e / y);
    }
    return sum / double(test.count());
  };
  CHECK(score(simple.mean_field(test)) == Approx(0.486840).margin(1e-5));  // README: .487
  CHECK(score(simple.regression(test)) == Approx(0.271288).margin(1e-4));  // numpy.linalg.solve of the same ridge
}
