#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "core/io/temporary_folder.hpp"
#include "tenon/device.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/plugin.hpp"
#include "tenon/precision.hpp"
#include "tenon/run.hpp"
#include "train/early_stop.hpp"
#include "train/pacer.hpp"
#include "train/run_directory.hpp"

using namespace tenon;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

const std::string kRecipe =
    "name = \"line\"\ntask = \"toy.regression\"\n[data]\nroot = \"points\"\n[model]\nname = \"toy.net\"\n[train]\nsteps = 24\nbatch = 4\n"
    "precision = \"f32\"\nlog_every = 2\ncheckpoint_every = 5\nvalidate_every = 4\n[optimizer]\nname = \"adamw\"\n[schedule]\nlearning_rate = 0.02\n";

struct Site {
  TemporaryFolder folder{"trainer"};
  Site() {
    PluginHost::instance().set_extra_directories({fs::path(TENON_BINARY_DIR) / "tests" / "plugins-toy"});
    fs::create_directories(folder / "points");
    std::ofstream(folder / "points/points.txt") << "1 2 3\n";
  }
  Recipe recipe(const std::vector<std::string>& overrides) const { return Recipe::parse(kRecipe, "line.toml", folder.path, overrides); }
};

/// Stops after some steps of a session, as Ctrl-C would.
struct StopAfter : RunObserver, TrainCallback {
  explicit StopAfter(std::int64_t steps) : left(steps) {}
  bool interrupted() override { return left <= 0; }
  void step(const TrainProgress&) override { --left; }
  std::int64_t left;
};

std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// metrics.jsonl without the clock.
std::vector<std::string> metrics_of(const fs::path& run) {
  std::ifstream in(run / "metrics.jsonl");
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    auto j = nlohmann::ordered_json::parse(line);
    j.erase("seconds");
    lines.push_back(j.dump());
  }
  return lines;
}

Error refused(const Site& site, const std::vector<std::string>& overrides) {
  RunObserver quiet;
  try {
    train(site.recipe(overrides), {.directory = site.folder / "refused"}, quiet);
  } catch (const Error& e) {
    CHECK_FALSE(fs::exists(site.folder / "refused"));
    return e;
  }
  FAIL("the recipe was taken");
  std::abort();
}

const std::vector<std::vector<std::string>> kSettings = {
    {"train.accumulate=3", "train.average=0.3", "train.tensorboard=true", "schedule.name=plateau", "schedule.patience=1", "train.patience=4"},
    {"train.precision=f16", "train.loss_scale=1e12", "train.loss_scale_interval=2"},
    {"train.steps=0", "train.epochs=7.5", "train.precision=bf16", "optimizer.name=muon"},
};

}  // namespace

TEST_CASE("a run that stops after any step and is resumed ends in the same bits", "[train][resume]") {
  const Site site;
  int number = 0;
  for (const auto& settings : kSettings) {
    const Recipe recipe = site.recipe(settings);
    const fs::path whole = site.folder / ("whole-" + std::to_string(number));
    RunObserver quiet;
    const TrainResult result = train(recipe, {.directory = whole}, quiet);
    CHECK(result.status == TrainStatus::finished);
    for (const std::int64_t first : {1, 3, 4, 5, 9, 16, 22}) {  // with two more: the last step, which is a validation's too
      if (first + 2 > result.steps) continue;
      const fs::path run = site.folder / ("part-" + std::to_string(number) + "-" + std::to_string(first));
      StopAfter stop(first), again(2);
      CHECK(train(recipe, {.directory = run}, stop).status == TrainStatus::interrupted);
      CHECK(train(recipe, {.directory = run, .resume = true}, again).status == TrainStatus::interrupted);
      const TrainResult end = train(recipe, {.directory = run, .resume = true}, quiet);
      INFO(number << " stopped after " << first);
      CHECK(end.status == TrainStatus::finished);
      CHECK(end.steps == result.steps);
      CHECK(bytes_of(run / "checkpoints/last.safetensors") == bytes_of(whole / "checkpoints/last.safetensors"));
      CHECK(bytes_of(run / "checkpoints/best.safetensors") == bytes_of(whole / "checkpoints/best.safetensors"));
      const auto lines = metrics_of(run), all = metrics_of(whole);
      CHECK(lines == all);
      CHECK(train(recipe, {.directory = run, .resume = true}, quiet).status == TrainStatus::finished);  // scores again, adds nothing
      CHECK(metrics_of(run) == all);
    }
    ++number;
  }
}

TEST_CASE("a save that was cut off between its halves is completed by the resumption", "[train][resume]") {
  const Site site;
  const Recipe recipe = site.recipe({"train.checkpoint_every=4"});
  RunObserver quiet;
  const fs::path whole = site.folder / "whole";
  train(recipe, {.directory = whole}, quiet);
  for (const bool moved : {false, true}) {  // before the former last was moved away, and after
    const fs::path run = site.folder / (moved ? "moved" : "written");
    fs::copy(whole, run, fs::copy_options::recursive);
    const fs::path folder = run / "checkpoints";
    fs::rename(folder / "last.safetensors", folder / "next.safetensors");
    fs::remove(folder / "last.json");
    if (!moved) {
      fs::rename(folder / "previous.safetensors", folder / "last.safetensors");
      fs::rename(folder / "previous.json", folder / "last.json");
    }
    CHECK(train(recipe, {.directory = run, .resume = true}, quiet).status == TrainStatus::finished);
    for (const char* name : {"last.safetensors", "previous.safetensors"}) CHECK(bytes_of(folder / name) == bytes_of(whole / "checkpoints" / name));
    CHECK(fs::exists(folder / "last.json"));
    CHECK_FALSE(fs::exists(folder / "next.safetensors"));
  }
}

TEST_CASE("a step that was validated in the session that was killed is validated once in the curves", "[train][resume]") {
  const Site site;
  const Recipe recipe = site.recipe({"train.checkpoint_every=100"});
  RunObserver quiet;
  const fs::path whole = site.folder / "whole", run = site.folder / "run", copy = site.folder / "copy";
  train(recipe, {.directory = whole}, quiet);
  StopAfter at_eight(8), one(1);
  train(recipe, {.directory = run}, at_eight);  // before step 8 is validated
  fs::copy(run / "checkpoints", copy);
  train(recipe, {.directory = run, .resume = true}, one);
  fs::remove_all(run / "checkpoints");  // as if that session had been killed after its validation
  fs::copy(copy, run / "checkpoints");
  train(recipe, {.directory = run, .resume = true}, quiet);
  CHECK(metrics_of(run) == metrics_of(whole));
}

TEST_CASE("a time budget has an end, and no budget overflows the pacer", "[train]") {
  const Site site;
  for (const char* minutes : {"inf", "1e300", "525601"}) {
    const Error e = [&] {
      try {
        site.recipe({"train.steps=0", std::string("train.minutes=") + minutes});
      } catch (const Error& caught) {
        return caught;
      }
      FAIL("taken: " << minutes);
      std::abort();
    }();
    CHECK(e.kind() == ErrorKind::usage);
    CHECK(e.code() == "param.range");
    CHECK_THAT(e.where(), Contains("train.minutes"));
  }
  Pacer pacer(0, 1e300);
  pacer.before_step(0, 0);
  pacer.after_step(1e-3);
  for (std::int64_t step = 1; step < 4; ++step) {
    CHECK(pacer.before_step(step, 0) < 1e-9);
    pacer.after_step(1e-3);
    CHECK(pacer.total_steps(step) > 1000000);
  }
}

TEST_CASE("progress in minutes is moved by each step but the first, also where the next step begins before the last has ended", "[train][pacer]") {
  const double seconds[] = {0.5, 0.1, 0.12, 0.11, 0.09, 0.1, 0.1};
  // each step moves it by its share of the steps that were left when it began
  std::vector<double> expected;
  double progress = 0, recent = 0, elapsed = 0;
  for (std::size_t step = 0; step < std::size(seconds); ++step) {
    const double left = recent > 0 ? std::max(1.0, std::floor((3 - elapsed) / recent)) : 1;
    expected.push_back(progress);
    recent = recent == 0 ? seconds[step] : recent + 0.3 * (seconds[step] - recent);
    elapsed += seconds[step];
    if (step > 0) progress += (1 - progress) / left;
  }
  Pacer pacer(0, 3), early(0, 3);
  elapsed = 0;
  for (std::size_t step = 0; step < std::size(seconds); ++step) {
    CHECK(pacer.before_step(std::int64_t(step), elapsed) == Approx(expected[step]));
    if (step == 4) {  // as a resumed run goes on
      Pacer resumed(0, 3);
      resumed.restore(pacer.progress(), pacer.step_seconds());
      const double now = pacer.progress();
      CHECK(resumed.before_step(5, elapsed) == now);
      CHECK(resumed.progress() > now);
    }
    pacer.after_step(seconds[step]);
    elapsed += seconds[step];
  }
  CHECK(pacer.progress() == Approx(progress));
  // never twice the same from the third step on, whoever begins first
  double last = early.before_step(0, 0);
  early.after_step(0.1);
  CHECK(early.before_step(1, 0.1) == last);
  for (std::int64_t step = 2; step < 8; ++step) {
    const double now = early.before_step(step, 0.1 * double(step));
    CHECK(now > last);
    last = now;
    early.after_step(0.1);  // of the step before
  }
}

TEST_CASE("a whole training gives the same bits for 1, 2 and 4 threads", "[train][threads]") {
  const Site site;
  const int before = thread_count();
  for (auto settings : kSettings) {
    settings.insert(settings.end(), {"model.width=70000", "train.evaluate=false", "train.validate_every=0", "train.patience=0", "train.steps=4", "train.epochs=0", "train.loss_scale=1024"});
    std::string first;
    for (const int threads : {1, 2, 4}) {
      set_thread_count(threads);
      const fs::path run = site.folder / ("threads-" + std::to_string(threads) + settings[0]);
      RunObserver quiet;
      train(site.recipe(settings), {.directory = run}, quiet);
      const std::string bytes = bytes_of(run / "checkpoints/last.safetensors");
      if (first.empty()) first = bytes;
      CHECK(bytes == first);
    }
  }
  set_thread_count(before);
}

TEST_CASE("f16 finds a scale that fits, leaving out the steps before", "[train][loss_scale]") {
  const Site site;
  RunObserver quiet;
  train(site.recipe({"train.precision=f16", "train.loss_scale=1e12", "train.log_every=1", "train.steps=40"}), {.directory = site.folder / "run"}, quiet);
  double scale = 1e12;
  std::int64_t skipped = 0;
  for (const std::string& line : metrics_of(site.folder / "run")) {
    const auto j = nlohmann::json::parse(line);
    if (j["kind"] != "step") continue;
    CHECK(j["loss_scale"].get<double>() <= scale);
    scale = j["loss_scale"];
    skipped += j["skipped"].get<std::int64_t>();
  }
  CHECK(scale < 1e9);
  CHECK(scale > 1000);
}

struct Messages : RunObserver {
  void message(const std::string& text) override { said += text + "\n"; }
  std::string said;
};

TEST_CASE("a run whose every step was left out says so", "[train][loss_scale]") {
  const Site site;
  Messages listener;
  train(site.recipe({"train.precision=f16", "train.loss_scale=1e30", "train.steps=4"}), {.directory = site.folder / "run"}, listener);
  CHECK_THAT(listener.said, Contains("warning: each of 4 steps was left out") && Contains("lower train.loss_scale"));
  Messages other;
  train(site.recipe({"train.precision=f16", "train.loss_scale=1e12", "train.steps=40"}), {.directory = site.folder / "found"}, other);
  CHECK(other.said.find("left out") == std::string::npos);
}

TEST_CASE("a run that is resumed on another device says so, and keeps it in mind", "[train][resume]") {
  const Site site;
  StopAfter stop(7);
  CHECK(train(site.recipe({}), {.directory = site.folder / "run"}, stop).status == TrainStatus::interrupted);
  const fs::path file = site.folder / "run/state.json";
  auto state = nlohmann::json::parse(read_text(file));
  CHECK(!state.contains("earlier_devices"));
  state["device"] = "cuda:0";  // as if it had been there
  write_atomic(file, state.dump());
  StopAfter again(5);
  CHECK(train(site.recipe({}), {.directory = site.folder / "run", .resume = true}, again).status == TrainStatus::interrupted);
  CHECK_THAT(read_text(site.folder / "run/log.txt"), Contains("warning: the run was on cuda:0 and goes on on cpu, whose last bits are others"));
  Messages listener;
  train(site.recipe({}), {.directory = site.folder / "run", .resume = true}, listener);
  CHECK(listener.said.find("warning") == std::string::npos);  // it stayed
  CHECK(nlohmann::json::parse(read_text(file))["earlier_devices"] == nlohmann::json::array({"cuda:0"}));
}

TEST_CASE("a run in TF32 is one in f32 on a CPU, and says so", "[train][precision]") {
  const Site site;
  Messages listener;
  RunObserver quiet;
  train(site.recipe({}), {.directory = site.folder / "f32"}, quiet);
  StopAfter stop(7);
  CHECK(train(site.recipe({"train.precision=tf32"}), {.directory = site.folder / "tf32"}, stop).status == TrainStatus::interrupted);
  train(site.recipe({"train.precision=tf32"}), {.directory = site.folder / "tf32", .resume = true}, listener);
  CHECK(bytes_of(site.folder / "tf32/checkpoints/last.safetensors") == bytes_of(site.folder / "f32/checkpoints/last.safetensors"));
  const std::string told = "train.precision is tf32, which cpu does not have: products are in f32";
  CHECK_THAT(listener.said, Contains(told) && Contains("; f32 on cpu"));
  CHECK_THAT(read_text(site.folder / "tf32/log.txt"), Contains(told));
  CHECK_THAT(read_text(site.folder / "tf32/recipe.toml"), Contains("precision = \"tf32\""));
  CHECK(nlohmann::json::parse(read_text(site.folder / "tf32/state.json"))["precision"] == "f32");
  const auto scores = [&](const char* run) { return evaluate(site.folder / run, {}, quiet).cases.at(0).values; };
  CHECK(scores("tf32") == scores("f32"));
  CHECK_FALSE(tf32_allowed());
}

TEST_CASE("TF32 is f32 whose products a GPU may round, and asked for alone", "[train][precision]") {
  const Site site;
  const Device gpu{DeviceType::cuda, 0};
  for (const char* precision : {"auto", "f32", "tf32", "bf16", "f16"}) {
    const Recipe recipe = site.recipe({std::string("train.precision=") + precision});
    INFO(precision);
    CHECK(uses_tf32(recipe, gpu) == (recipe.section("train").text("precision") == "tf32"));
    CHECK_FALSE(uses_tf32(recipe, kCpu));
    if (uses_tf32(recipe, gpu)) CHECK(compute_type(recipe, gpu) == DType::f32);
  }
}

TEST_CASE("auto takes bf16 of a model that computes in it alone, and other types are refused with the line", "[train][precision]") {
  const Site site;
  const Device gpu{DeviceType::cuda, 0};
  CHECK(compute_type(site.recipe({"train.precision=auto"}), gpu) == DType::bf16);
  CHECK(compute_type(site.recipe({"train.precision=auto", "model.name=toy.line", "model.width=1"}), gpu) == DType::f32);
  CHECK(compute_type(site.recipe({"train.precision=tf32", "model.name=toy.line", "model.width=1"}), gpu) == DType::f32);
  for (const char* precision : {"bf16", "f16"}) {
    try {
      site.recipe({std::string("train.precision=") + precision, "model.name=toy.line", "model.width=1"});
      FAIL("taken");
    } catch (const Error& e) {
      CHECK(e.code() == "recipe.precision");
      CHECK(e.message() == std::string("toy.line does not compute in ") + precision);
      CHECK(e.hint() == "set train.precision to one of \"auto\", \"f32\", \"tf32\"");
      CHECK(e.where() == "command line, train.precision");
    }
  }
}

TEST_CASE("a schedule that cannot be made is refused before there is a folder", "[train]") {
  Site site;
  CHECK(refused(site, {"schedule.name=chained", "schedule.parts=[\"0.5 cosine\"]"}).code() == "schedule.value");
}

TEST_CASE("epochs are passes over the training samples", "[train]") {
  const Site site;
  RunObserver quiet;
  const auto steps = [&](std::vector<std::string> settings) {
    settings.insert(settings.end(), {"train.evaluate=false", "train.validate_every=0"});
    fs::remove_all(site.folder / "run");
    return train(site.recipe(settings), {.directory = site.folder / "run"}, quiet).steps;
  };
  CHECK(steps({"train.steps=0", "train.epochs=2"}) == 5);                        // 20 samples by 4
  CHECK(steps({"train.steps=0", "train.epochs=2", "train.accumulate=2"}) == 3);  // by 8, the last step in full
  CHECK(steps({"train.steps=0", "train.epochs=0.01"}) == 1);
  CHECK(steps({"train.steps=6", "train.epochs=2"}) == 6);                        // steps come first
  const Error e = refused(site, {"train.steps=0", "train.epochs=2", "data.mode=exact", "train.evaluate=false", "train.validate_every=0"});
  CHECK(e.code() == "train.no_epochs");
  CHECK(e.where() == "command line, train.epochs");
}

TEST_CASE("early stopping counts validations without a better one", "[train][early_stop]") {
  EarlyStop stop(2, 0.1);
  stop.observe(1, 10);
  stop.observe(1.05, 20);  // better, but by less than min_delta
  CHECK_FALSE(stop.due());
  stop.observe(1.2, 30);
  CHECK(stop.state.best_step == 30);
  stop.observe(std::nan(""), 40);
  stop.observe(1.2, 50);
  CHECK(stop.due());
  CHECK_FALSE(EarlyStop(0, 0).due());

  const Site site;
  RunObserver quiet;
  // no learning: nothing is better than the first validation, at step 4
  for (const std::string metric : {"", "error"}) {
    fs::remove_all(site.folder / "run");
    const Recipe recipe = site.recipe({"schedule.learning_rate=0", "train.patience=3", "train.stop_metric=" + metric});
    const TrainResult r = train(recipe, {.directory = site.folder / "run"}, quiet);
    CHECK(r.stopped_early);
    CHECK(r.steps == 16);
    CHECK(r.status == TrainStatus::finished);
    CHECK(r.evaluation.cases.size() == 3);
    CHECK_THAT(read_text(site.folder / "run/log.txt"), Contains("stopped early at step 16: no validation since step 4 was better"));
    CHECK_THAT(read_text(site.folder / "run/state.json"), Contains("\"stopped_early\": true"));
    CHECK(train(recipe, {.directory = site.folder / "run", .resume = true}, quiet).steps == 16);  // it is finished: scored again
  }
  fs::remove_all(site.folder / "run");
  CHECK_FALSE(train(site.recipe({"train.patience=6", "train.stop_metric=error"}), {.directory = site.folder / "run"}, quiet).stopped_early);

  const Error unknown = refused(site, {"train.patience=3", "train.stop_metric=eror"});
  CHECK(unknown.code() == "train.early_stop");
  CHECK_THAT(unknown.hint(), Contains("'error'"));
  CHECK(unknown.where() == "command line, train.stop_metric");
  const Error never = refused(site, {"train.patience=3", "train.validate_every=0"});
  CHECK(never.code() == "train.early_stop");
  CHECK_THAT(never.message(), Contains("train.validate_every is 0"));
}

TEST_CASE("callbacks see a run from begin to end, in order", "[train][callbacks]") {
  struct Listener : TrainCallback {
    std::string seen;
    std::int64_t last_total = 0;
    double loss = 0, score = 0;
    bool best = false;
    void on_begin(const BeginEvent& e) override { seen += "b" + std::to_string(e.step); CHECK(fs::is_directory(e.directory)); }
    void on_step(const TrainProgress& e) override { seen += "s", last_total = e.total_steps, loss = e.loss; }
    void on_log(const LogEvent& e) override { seen += "l"; CHECK(e.gradient_norm > 0); }
    void on_validation(const ValidationEvent& e) override {
      seen += e.last ? "V" : "v", score = e.score, best |= e.best;
      CHECK(e.columns.size() == e.evaluation.columns.size());
    }
    void on_checkpoint(const CheckpointEvent& e) override { seen += e.name == "last" ? "c" : "k"; CHECK(fs::exists(e.file)); }
    void on_end(const TrainResult& r) override { seen += r.status == TrainStatus::finished ? "e" : "i"; }
  };
  const Site site;
  const auto listener = std::make_shared<Listener>();
  RunObserver quiet;
  const Recipe recipe = site.recipe({"train.steps=6", "train.checkpoint_every=3", "train.validate_every=4", "schedule.learning_rate=0.001"});
  const TrainResult r = train(recipe, {.directory = site.folder / "run", .callbacks = {listener}}, quiet);
  CHECK(listener->seen == "b0sslscslkvsslckVe");
  CHECK(listener->last_total == 6);
  CHECK(listener->best);
  CHECK(r.steps == 6);

  struct Thrower : TrainCallback {
    void on_step(const TrainProgress& e) override {
      if (e.step == 5) throw Error(ErrorKind::usage, "my.error", "no more");
    }
  };
  CHECK_THROWS_WITH(train(recipe, {.directory = site.folder / "thrown", .callbacks = {std::make_shared<Thrower>()}}, quiet), Contains("no more"));
  train(recipe, {.directory = site.folder / "thrown", .resume = true}, quiet);  // and it can be resumed
  CHECK(bytes_of(site.folder / "thrown/checkpoints/last.safetensors") == bytes_of(site.folder / "run/checkpoints/last.safetensors"));
}

TEST_CASE("a profile is a Chrome trace with ops, steps and the loader, and does not change the training", "[train][profile]") {
  const Site site;
  struct Said : RunObserver {
    std::string all;
    void message(const std::string& text) override { all += text + "\n"; }
  } said;
  RunObserver quiet;
  const Recipe recipe = site.recipe({"train.steps=8"});
  train(recipe, {.directory = site.folder / "plain"}, quiet);
  train(recipe, {.directory = site.folder / "run", .profile = true}, said);
  CHECK(bytes_of(site.folder / "plain/checkpoints/last.safetensors") == bytes_of(site.folder / "run/checkpoints/last.safetensors"));
  CHECK_THAT(said.all, Contains("profile of 5 steps") && Contains("optimiser.adamw") && Contains("share") && Contains("memory, in use (most), MiB: other") && Contains("optimiser state"));
  const auto trace = nlohmann::json::parse(read_text(site.folder / "run/profile.json"));
  std::map<std::string, int> kinds;
  std::map<int, std::string> threads;
  std::vector<std::pair<double, double>> steps;
  for (const auto& e : trace["traceEvents"]) {
    if (e["ph"] == "M") {
      threads[e["tid"]] = e["args"]["name"];
      continue;
    }
    CHECK(e["ph"] == "X");
    CHECK(e["dur"].get<double>() >= 0);
    ++kinds[e["cat"]];
    if (e["cat"] == "step") steps.emplace_back(e["ts"], e["ts"].get<double>() + e["dur"].get<double>());
  }
  CHECK(kinds["step"] == 5);
  CHECK(kinds["wait"] == 5);
  CHECK(kinds["op"] > 5 * 10);
  CHECK(threads[0] == "main");
  for (const auto& e : trace["traceEvents"])  // each op lies within a step
    if (e.value("cat", "") == "op")
      CHECK(std::any_of(steps.begin(), steps.end(), [&](const auto& s) { return s.first <= e["ts"].get<double>() && e["ts"].get<double>() + e["dur"].get<double>() <= s.second + 1e-3; }));
}

TEST_CASE("TensorBoard's curves are written where the recipe asks, once a step", "[train][event_file]") {
  const Site site;
  RunObserver quiet;
  train(site.recipe({}), {.directory = site.folder / "plain"}, quiet);
  CHECK_FALSE(fs::exists(site.folder / "plain/tensorboard"));
  StopAfter stop(11);
  const Recipe recipe = site.recipe({"train.tensorboard=true"});
  train(recipe, {.directory = site.folder / "run"}, stop);
  train(recipe, {.directory = site.folder / "run", .resume = true}, quiet);
  std::vector<fs::path> found;
  for (const auto& f : fs::directory_iterator(site.folder / "run/tensorboard")) found.push_back(f.path());
  REQUIRE(found.size() == 1);
  const std::string all = bytes_of(found[0]);
  std::size_t losses = 0, scores = 0;
  for (std::size_t at = 0; (at = all.find("train/loss", at)) != std::string::npos; ++at) ++losses;
  for (std::size_t at = 0; (at = all.find("validation/score", at)) != std::string::npos; ++at) ++scores;
  CHECK(losses == 12);
  CHECK(scores == 6);
}
