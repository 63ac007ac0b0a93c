// Batches that are taken ahead of their step. The CPU has no use for that; here it gets a feed that copies as late as it may, so that a tensor
// which is filled again too early shows in the weights.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <deque>
#include <fstream>
#include <iterator>
#include <optional>
#include <regex>
#include <thread>

#include "backend/backend.hpp"
#include "core/io/temporary_folder.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/safetensors.hpp"
#include "tenon/optim.hpp"
#include "tenon/plugin.hpp"
#include "tenon/run.hpp"
#include "train/loader.hpp"
#include "train/step_runner.hpp"

using namespace tenon;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

struct Counts {
  int sent = 0, delivered = 0, host_tensors = 0, feeds = 0;
  int most_fetched = 0;  ///< and not collected
  bool unread = false;  ///< what was sent may not be read yet, as far as the host knows
};

class LateFeed final : public BatchFeed {
 public:
  explicit LateFeed(Counts& counts) : counts_(counts) { ++counts.feeds; }
  Tensor host_tensor(const Shape& shape, DType dtype) override { return ++counts_.host_tensors, Tensor::empty(shape, dtype, kCpu); }
  void send(const std::vector<Tensor>& batch) override {
    ++counts_.sent;
    counts_.unread = true;
    late_ = batch;
  }
  void settle() override {
    counts_.unread = false;
    take();
  }
  void deliver(const std::vector<Tensor>& to) override {
    ++counts_.delivered;
    take();
    REQUIRE(held_.size() == to.size());
    for (std::size_t i = 0; i < to.size(); ++i) to[i].copy_from_host(held_[i].raw(), held_[i].nbytes());
  }
  void fetch(const std::vector<Tensor>& scalars) override {
    REQUIRE(scalars.size() <= kScalars);
    fetched_.emplace_back();
    for (const Tensor& t : scalars) fetched_.back().push_back(t.item());
    counts_.most_fetched = std::max(counts_.most_fetched, int(fetched_.size()));
  }
  void collect(std::vector<double>& values) override {
    REQUIRE_FALSE(fetched_.empty());
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // as for a device at work: batches come meanwhile
    values = fetched_.front();
    fetched_.pop_front();
  }

 private:
  void take() {
    if (late_.empty()) return;
    held_.clear();
    for (const Tensor& t : late_) held_.push_back(t.clone());
    late_.clear();
  }
  Counts& counts_;
  std::vector<Tensor> late_, held_;
  std::deque<std::vector<double>> fetched_;
};

struct WithFeed {
  WithFeed() { set_batch_feed(DeviceType::cpu, [this] { return std::make_unique<LateFeed>(counts); }); }
  ~WithFeed() { set_batch_feed(DeviceType::cpu, nullptr); }
  WithFeed(const WithFeed&) = delete;
  WithFeed& operator=(const WithFeed&) = delete;
  Counts counts;
};

const std::string kRecipe =
    "name = \"line\"\ntask = \"toy.regression\"\n[data]\nroot = \"points\"\n[model]\nname = \"toy.net\"\n[train]\nsteps = 24\nbatch = 4\n"
    "precision = \"f32\"\nlog_every = 2\ncheckpoint_every = 5\nvalidate_every = 4\n[optimizer]\nname = \"adamw\"\n[schedule]\nlearning_rate = 0.02\n";

struct Site {
  TemporaryFolder folder{"feed"};
  Site() {
    PluginHost::instance().set_extra_directories({fs::path(TENON_BINARY_DIR) / "tests" / "plugins-toy"});
    fs::create_directories(folder / "points");
    std::ofstream(folder / "points/points.txt") << "1 2 3\n";
  }
  Recipe recipe(const std::vector<std::string>& overrides) const { return Recipe::parse(kRecipe, "line.toml", folder.path, overrides); }
  std::string weights(const std::string& run) const {
    std::ifstream in(folder / (run + "/checkpoints/last.safetensors"), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

struct StopAfter : RunObserver {
  explicit StopAfter(std::int64_t steps) : left(steps) {}
  bool interrupted() override { return left <= 0; }
  void step(const TrainProgress&) override { --left; }
  std::int64_t left;
};

const std::vector<std::vector<std::string>> kSettings = {
    {"train.loader_threads=3", "train.prefetch=2"},
    {"train.accumulate=3", "train.average=0.3", "train.patience=4"},
    {"train.precision=f16", "train.loss_scale=1e12", "train.loss_scale_interval=2"},
    {"data.mode=ragged", "train.batch=6", "train.accumulate=2"},
    {"data.pause=2", "train.steps=8"},  // batches that are late
};

}  // namespace

TEST_CASE("batches taken ahead give the same bits, to a run that is stopped and resumed too", "[train][batch_feed]") {
  const Site site;
  RunObserver quiet;
  int number = 0;
  for (const auto& settings : kSettings) {
    const Recipe recipe = site.recipe(settings);
    const std::string plain = "plain" + std::to_string(number), fed = "fed" + std::to_string(number), part = "part" + std::to_string(number);
    train(recipe, {.directory = site.folder / plain}, quiet);
    WithFeed feed;
    const TrainResult whole = train(recipe, {.directory = site.folder / fed}, quiet);
    INFO(settings[0]);
    CHECK(site.weights(fed) == site.weights(plain));
    const int batches = int(whole.steps * recipe.section("train").integer("accumulate"));
    CHECK(feed.counts.delivered == batches);
    CHECK(feed.counts.sent == batches);  // none after the last step's
    CHECK(feed.counts.feeds == 1);
    if (number == 0) CHECK(feed.counts.most_fetched == 2);  // a step was started before the losses of the one before were read, and never two
    CHECK(feed.counts.host_tensors == 2 * int(recipe.section("train").integer("prefetch") + 1));
    StopAfter stop(3), again(2);
    CHECK(train(recipe, {.directory = site.folder / part}, stop).status == TrainStatus::interrupted);
    CHECK(train(recipe, {.directory = site.folder / part, .resume = true}, again).status == TrainStatus::interrupted);
    CHECK(train(recipe, {.directory = site.folder / part, .resume = true}, quiet).status == TrainStatus::finished);
    CHECK(site.weights(part) == site.weights(plain));
    ++number;
  }
}

namespace {

/// metrics.jsonl without what the clock says.
std::string metrics(const fs::path& run) {
  return std::regex_replace(read_text(run / "metrics.jsonl"), std::regex("\"(seconds|elapsed|step_seconds)\": ?[0-9.e+-]+"), "");
}

/// What a training tells, as text.
struct Told : TrainCallback {
  void on_step(const TrainProgress& e) override {
    char line[120];
    std::snprintf(line, sizeof line, "step %lld %.17g %.17g %d\n", static_cast<long long>(e.step), e.loss, e.learning_rate, int(e.skipped));
    all += line;
  }
  void on_checkpoint(const CheckpointEvent& e) override { all += "checkpoint " + e.name + " " + std::to_string(e.step) + "\n"; }
  void on_validation(const ValidationEvent& e) override { all += "validation " + std::to_string(e.step) + " " + std::to_string(e.score) + "\n"; }
  std::string all;
};

const std::vector<std::vector<std::string>> kRhythms = {
    {"train.log_every=1", "train.checkpoint_every=7"},
    {"train.log_every=1", "train.checkpoint_every=1000", "train.validate_every=0"},
    {"train.log_every=3", "train.checkpoint_every=1000", "train.validate_every=5"},
    {"train.average=0.3", "train.log_every=1", "train.checkpoint_every=9", "train.validate_every=6"},
    {"schedule.name=plateau", "schedule.patience=1", "train.log_every=1", "train.validate_every=3", "train.checkpoint_every=100", "train.patience=4"},
    {"train.accumulate=2", "train.log_every=1"},
    {"train.precision=f16", "train.loss_scale=1e12", "train.loss_scale_interval=2", "train.log_every=1"},
    {"data.mode=ragged", "train.batch=6", "train.log_every=1", "train.checkpoint_every=1000", "train.validate_every=0"},
    {"train.steps=1", "train.log_every=1"},
    {"train.steps=5", "train.log_every=1", "train.checkpoint_every=1000", "train.validate_every=0"},
};

}  // namespace

TEST_CASE("a training whose steps are started early tells, logs and keeps what it would otherwise, stopped anywhere", "[train][batch_feed][slow]") {
  const Site site;
  RunObserver quiet;
  int number = 0;
  for (const auto& settings : kRhythms) {
    INFO(settings[0] << ", rhythm " << number);
    const Recipe recipe = site.recipe(settings);
    const auto plain = std::make_shared<Told>(), fed = std::make_shared<Told>();
    const std::string a = "a" + std::to_string(number), b = "b" + std::to_string(number), c = "c" + std::to_string(number);
    train(recipe, {.directory = site.folder / a, .callbacks = {plain}}, quiet);
    WithFeed feed;
    train(recipe, {.directory = site.folder / b, .callbacks = {fed}}, quiet);
    CHECK(fed->all == plain->all);
    CHECK(site.weights(b) == site.weights(a));
    CHECK(metrics(site.folder / b) == metrics(site.folder / a));
    // under a loss scale and with accumulation the host decides
    if (number == 1) CHECK(feed.counts.most_fetched == 2);
    if (number == 6) CHECK(feed.counts.most_fetched <= 2);  // losses and norm of one step
    for (int stop = 1; stop < 9; ++stop) {
      fs::remove_all(site.folder / c);
      StopAfter first(stop);
      TrainStatus status = train(recipe, {.directory = site.folder / c}, first).status;
      for (int k = 0; status == TrainStatus::interrupted && k < 40; ++k) {
        StopAfter again(stop + k % 3);
        status = train(recipe, {.directory = site.folder / c, .resume = true}, again).status;
      }
      INFO("stopped after " << stop);
      CHECK(status == TrainStatus::finished);
      CHECK(site.weights(c) == site.weights(a));
      CHECK(metrics(site.folder / c) == metrics(site.folder / a));
    }
    ++number;
  }
}

TEST_CASE("steps are not started early under --profile, nor past what a callback threw at", "[train][batch_feed]") {
  const Site site;
  RunObserver quiet;
  WithFeed feed;
  const Recipe recipe = site.recipe({"train.checkpoint_every=5", "train.validate_every=0"});
  train(recipe, {.directory = site.folder / "profiled", .profile = true}, quiet);
  CHECK(feed.counts.most_fetched == 1);
  struct Bad : TrainCallback {
    void on_step(const TrainProgress& e) override {
      if (e.step == 9) throw std::runtime_error("mine");
    }
  };
  CHECK_THROWS_WITH(train(recipe, {.directory = site.folder / "bad", .callbacks = {std::make_shared<Bad>()}}, quiet), Contains("mine"));
  CHECK_THAT(read_text(site.folder / "bad/checkpoints/last.json"), Contains("\"step\": 5"));
  CHECK(train(recipe, {.directory = site.folder / "bad", .resume = true}, quiet).status == TrainStatus::finished);
  CHECK(site.weights("bad") == site.weights("profiled"));
}

TEST_CASE("what filling a batch threw comes at the batch's own step", "[train][batch_feed]") {
  const Site site;
  struct Steps : TrainCallback {
    void on_step(const TrainProgress& e) override { last = e.step; }
    std::int64_t last = 0;
  };
  for (const bool fed : {false, true}) {
    std::optional<WithFeed> feed;
    if (fed) feed.emplace();
    for (const auto& [accumulate, checkpoint] : {std::pair(1, 1), std::pair(2, 1), std::pair(1, 1000), std::pair(2, 1000)}) {
      const auto steps = std::make_shared<Steps>();
      RunObserver quiet;
      const fs::path run = site.folder / ("run" + std::to_string(fed) + std::to_string(accumulate) + "-" + std::to_string(checkpoint));
      const Recipe recipe = site.recipe({"data.mode=broken", "train.log_every=1", "train.checkpoint_every=" + std::to_string(checkpoint), "train.validate_every=0", "train.accumulate=" + std::to_string(accumulate)});
      CHECK_THROWS_WITH(train(recipe, {.directory = run, .callbacks = {steps}}, quiet), Contains("batch 7 is broken"));
      CHECK(steps->last == 7 / accumulate);  // batches are counted from 0
      const std::string logged = metrics(run);
      CHECK(std::count(logged.begin(), logged.end(), '\n') == 7 / accumulate);
      if (checkpoint == 1) CHECK_THAT(read_text(run / "checkpoints/last.json"), Contains("\"step\": " + std::to_string(7 / accumulate)));
      CHECK_THAT(read_text(run / "state.json"), Contains("failed"));
    }
  }
}

namespace {

/// A toy's task, model and optimiser, trained by hand.
struct ByHand {
  explicit ByHand(const Recipe& r) : recipe(r) {
    TaskContext context;
    context.sections = recipe.sections;
    context.recipe_directory = recipe.directory;
    context.batch_size = recipe.section("train").integer("batch");
    task = PluginHost::instance().task(recipe.task).make(context);
    model = PluginHost::instance().model(recipe.model).make(recipe.section("model"), task->model_context());
    model->initialise(recipe.seed);
    optimiser = make_optimiser(*model, recipe.section("optimizer"));
  }
  std::vector<Tensor> batch(std::int64_t step) const {
    std::vector<Tensor> made;
    for (const TensorSpec& s : task->batch_spec()) made.push_back(Tensor::empty(s.shape, s.dtype));
    task->fill_batch(step, Random(recipe.seed, 0x7ea1), made);
    return made;
  }
  void step(std::int64_t step, bool recorded) {
    optimiser->begin_step(make_schedule(recipe.section("schedule")).at(double(step) / double(recipe.section("train").integer("steps"))));
    const std::vector<Tensor> tensors = batch(step);
    auto work = [&] {
      task->loss(*model, tensors)[0].second.backward();
      optimiser->step();
    };
    if (recorded) StepPlan::record(work).run();
    else work();
  }
  const Recipe& recipe;
  std::unique_ptr<Task> task;
  nn::ModulePtr model;
  std::unique_ptr<Optimiser> optimiser;
};

}  // namespace

TEST_CASE("batches of changing shapes train as steps taken one by one do", "[train][plan_cache]") {
  const Site site;
  RunObserver quiet;
  for (const char* batch : {"5", "24"}) {  // fewer shapes than plans are kept, and more
    const Recipe recipe = site.recipe({"data.mode=ragged", std::string("train.batch=") + batch, "train.steps=60"});
    for (const bool fed : {false, true}) {
      std::optional<WithFeed> feed;
      if (fed) feed.emplace();
      const std::string run = std::string(fed ? "fed" : "plain") + batch;
      train(recipe, {.directory = site.folder / run}, quiet);
      const TensorFile trained = load_safetensors(site.folder / (run + "/checkpoints/last.safetensors"));
      for (const bool recorded : {false, true}) {
        ByHand hand(recipe);
        for (std::int64_t step = 0; step < 60; ++step) hand.step(step, recorded);
        for (const auto& [name, t] : hand.model->parameters()) {
          const auto found = std::find_if(trained.tensors.begin(), trained.tensors.end(), [&](const auto& pair) { return pair.first == "model." + name; });
          REQUIRE(found != trained.tensors.end());
          CHECK(found->second.to_vector() == t.to_vector());
        }
      }
      const std::string log = read_text(site.folder / (run + "/log.txt"));
      CHECK_THAT(log, Contains("step plan for a batch of [2, 1] [2, 1]: "));
      CHECK((log.find("than the 8 whose plans are kept") != std::string::npos) == (std::string(batch) == "24"));
    }
  }
}

TEST_CASE("tensors are given back once they have been read, and no batch is asked for after the last step", "[train][batch_feed]") {
  const Site site;
  const Recipe recipe = site.recipe({});
  for (const int late : {0, 1, 2, 1000}) {  // which batches are not there in time; 0: nothing is taken ahead
    WithFeed feed;
    ByHand hand(recipe);
    StepRunner runner(*hand.task, *hand.model, *hand.optimiser, 3, nullptr, 0, kCpu);
    std::vector<Tensor> batch;
    int given = 0, asked = 0;
    const auto give = [&]() -> const std::vector<Tensor>& {
      CHECK_FALSE(feed.counts.unread);
      return batch = hand.batch(given++);
    };
    StepRunner::Batches from{give};
    if (late)
      from.ready = [&]() -> const std::vector<Tensor>* {
        CHECK_FALSE(feed.counts.unread);
        return ++asked % late == 0 ? nullptr : &give();
      };
    for (int step = 0; step < 4; ++step) {
      runner.run(0.01, step, from, step < 3);
      CHECK(feed.counts.delivered == 3 * (step + 1));
    }
    CHECK(given == 12);
    CHECK(asked == (late ? 11 : 0));
  }
}

TEST_CASE("a batch that does not fit its specification is told at its step, by the tensor's name", "[train][batch_feed][misuse]") {
  const Site site;
  const Recipe recipe = site.recipe({});
  for (const bool fed : {false, true}) {
    std::optional<WithFeed> feed;
    if (fed) feed.emplace();
    ByHand hand(recipe);
    StepRunner runner(*hand.task, *hand.model, *hand.optimiser, 1, nullptr, 0, kCpu);
    std::vector<std::vector<Tensor>> batches;
    for (int step = 0; step < 2; ++step) batches.push_back(hand.batch(step));
    const std::vector<std::vector<Tensor>> wrong = {
        {batches[0][0]}, {batches[0][0], batches[0][1].to(DType::f64)}, {batches[0][0], Tensor()}, {batches[0][0], Tensor::zeros({1, 4}).transpose(0, 1).expand({4, 3})}};
    const std::vector<std::string> told = {"1 tensors", "'y' is f64[4, 1]", "'y' is undefined", "a strided view"};
    for (std::size_t i = 0; i < wrong.size(); ++i) {
      batches.push_back(wrong[i]);
      std::size_t at = batches.size() - 2;
      const StepRunner::Batches from{[&]() -> const std::vector<Tensor>& { return batches[at++]; }, [&] { return &batches[at++]; }};
      runner.run(0.01, 0, from);
      CHECK_THROWS_WITH(runner.run(0.01, 1, from), Contains("Task::fill_batch") && Contains(told[i]));
      batches.back() = hand.batch(1);
    }
  }
}

TEST_CASE("a loader gives what is ready without waiting, and its tensors have their own shapes again", "[train][loader]") {
  std::atomic<int> let{0};
  std::vector<const void*> given(16);
  BatchLoader loader({{"x", {6}}}, 0, 1, 2, [&](std::int64_t step, std::vector<Tensor>& batch) {
    while (let <= step) std::this_thread::yield();
    if (!(batch[0].shape() == Shape{6})) throw Error(ErrorKind::internal, "test", "another shape");
    if (step == 2) throw Error(ErrorKind::data, "test", "step two");
    given[std::size_t(step)] = batch[0].raw();
    batch[0].fill(double(step));
    batch[0] = step % 2 ? batch[0].narrow(0, 0, 3) : Tensor::full({2, 2}, double(step));
  });
  CHECK(loader.next_if_ready() == nullptr);
  let = 16;
  const std::vector<Tensor>* batch = nullptr;
  while (!(batch = loader.next_if_ready())) std::this_thread::yield();
  CHECK((*batch)[0].shape() == Shape{2, 2});
  while (!(batch = loader.next_if_ready())) std::this_thread::yield();
  CHECK((*batch)[0].to_vector() == std::vector<double>{1, 1, 1});
  for (int k = 0; k < 100; ++k) CHECK(loader.next_if_ready() == nullptr);  // the one that threw
  CHECK_THROWS_WITH(loader.next(), Contains("step two"));
  for (int step = 3; step < 12; ++step) CHECK(loader.next()[0].to_vector().back() == step);
  CHECK(given[0] == given[3]);  // three slots
  CHECK(given[1] == given[10]);
}
