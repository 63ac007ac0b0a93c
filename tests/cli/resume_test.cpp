/// What a resumed run accepts, and what the trainer refuses before it trains.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "run.hpp"

using namespace cli;
using nlohmann::json;

namespace {

void prepare(const Folder& folder) {
  folder.write("line.toml",
               "name = \"line\"\ntask = \"toy.regression\"\n[data]\nroot = \"points\"\n[train]\nsteps = 60\nbatch = 4\ncheckpoint_every = 20\nlog_every = 5\n"
               "[schedule]\nlearning_rate = 0.1\n[optimizer]\nmomentum = 0.5\n");
  folder.write("points/points.txt", "1 2 3\n");
}

Result toy(const Folder& folder, std::vector<std::string> arguments) {
  return tenon(with_toy(std::move(arguments)), folder.path);
}

json state_of(const fs::path& run) {
  return json::parse(slurp(run / "state.json"));
}

/// Another checkpoint in place of the last one, as if saved so: without the digest of the former.
void write_last(const Folder& folder, const std::string& bytes) {
  folder.write("run/checkpoints/last.safetensors", bytes);
  fs::remove(folder.path / "run" / "checkpoints" / "last.json");
}

/// A run as a crash leaves it: its last checkpoint is of step 40.
void crash_at_40(const Folder& folder) {
  REQUIRE(toy(folder, {"train", "line.toml", "--run", "run", "train.steps=40"}).status == 0);
  const fs::path run = folder.path / "run";
  std::string recipe = slurp(run / "recipe.toml");
  recipe.replace(recipe.find("steps = 40"), 10, "steps = 60");
  folder.write("run/recipe.toml", recipe);
  std::string file = slurp(run / "checkpoints" / "last.safetensors");
  const std::string was = "\"tenon.finished\":\"1\"";
  REQUIRE(file.find(was) != std::string::npos);
  file.replace(file.find(was), was.size(), "\"tenon.finished\":\"0\"");
  write_last(folder, file);
}

void set_metadata(const Folder& folder, const std::string& key, const std::string& was, const std::string& value) {
  std::string file = slurp(folder.path / "run" / "checkpoints" / "last.safetensors");
  const std::string from = "\"" + key + "\":\"" + was + "\"", to = "\"" + key + "\":\"" + value + "\"";
  REQUIRE(from.size() == to.size());
  REQUIRE(file.find(from) != std::string::npos);
  file.replace(file.find(from), from.size(), to);
  write_last(folder, file);
}

}  // namespace

TEST_CASE("a resumed run goes on, a recipe changed on the way is kept and logged") {
  const Folder folder;
  prepare(folder);
  crash_at_40(folder);
  const Result r = toy(folder, {"train", "--resume", "run", "train.log_every=10"});
  INFO(r.err);
  REQUIRE(r.status == 0);
  CHECK(r.says("resumed at step 40"));
  CHECK(r.says("train.log_every: 5 -> 10"));
  CHECK(slurp(folder.path / "run" / "recipe.toml").find("log_every = 10\n") != std::string::npos);
  CHECK(state_of(folder.path / "run")["steps"] == 60);
}

TEST_CASE("a finished run is not lengthened") {
  const Folder folder;
  prepare(folder);
  REQUIRE(toy(folder, {"train", "line.toml", "--run", "run"}).status == 0);
  const std::string recipe = slurp(folder.path / "run" / "recipe.toml"), state = slurp(folder.path / "run" / "state.json");
  const Result longer = toy(folder, {"train", "--resume", "run", "train.steps=100"});
  CHECK(longer.status == 2);
  CHECK(longer.says("error[run.finished]"));
  CHECK(longer.says("train.steps: 60 -> 100"));
  CHECK(slurp(folder.path / "run" / "recipe.toml") == recipe);
  CHECK(slurp(folder.path / "run" / "state.json") == state);
  CHECK(toy(folder, {"train", "--resume", "run"}).status == 0);  // scores again
}

TEST_CASE("a run is not resumed on other data") {
  const Folder folder;
  prepare(folder);
  crash_at_40(folder);
  const std::string state = slurp(folder.path / "run" / "state.json");
  folder.write("points/points.txt", "1 2 4\n");
  const Result r = toy(folder, {"train", "--resume", "run"});
  CHECK(r.status == 3);
  CHECK(r.says("error[run.data_changed]"));
  CHECK(r.says("points.txt has changed"));
  CHECK(slurp(folder.path / "run" / "state.json") == state);
  folder.write("points/points.txt", "1 2 3\n");
  CHECK(toy(folder, {"train", "--resume", "run"}).status == 0);
}

TEST_CASE("checkpoints with impossible metadata are refused, and a run with none that can be read does not begin anew") {
  const Folder folder;
  prepare(folder);
  crash_at_40(folder);
  for (const char* bad : {"-3", "na", "4x"}) {
    fs::remove(folder.path / "run" / "checkpoints" / "previous.safetensors");
    set_metadata(folder, "tenon.step", "40", bad);
    const Result r = toy(folder, {"train", "--resume", "run"});
    INFO(bad << ": " << r.err);
    CHECK(r.status == 3);
    CHECK(r.says("error[checkpoint.unreadable]"));
    CHECK(r.says("tenon.step"));
    set_metadata(folder, "tenon.step", bad, "40");
  }
}

TEST_CASE("a checkpoint whose bytes are not those that were saved is refused with both digests, and passed over at resumption") {
  const Folder folder;
  prepare(folder);
  folder.write("in.txt", "0 1\n");
  REQUIRE(toy(folder, {"train", "line.toml", "--run", "run"}).status == 0);
  const fs::path checkpoints = folder.path / "run" / "checkpoints";
  std::string file = slurp(checkpoints / "last.safetensors");
  const std::string saved = json::parse(slurp(checkpoints / "last.json"))["sha256"];
  file[file.size() - 2] ^= 0x10;  // the header still reads
  folder.write("run/checkpoints/last.safetensors", file);
  for (const std::vector<std::string>& command : {std::vector<std::string>{"predict", "run", "in.txt", "-o", "out"}, {"evaluate", "run"}}) {
    const Result r = toy(folder, command);
    INFO(r.err);
    CHECK(r.status == 3);
    CHECK(r.out.empty());
    CHECK(r.says("error[checkpoint.digest]"));
    CHECK(r.says("last.safetensors"));
    CHECK(r.says(saved));
  }
  CHECK(toy(folder, {"predict", "run", "in.txt", "-o", "out", "--checkpoint", "previous"}).status == 0);
  const Result resumed = toy(folder, {"train", "--resume", "run"});
  INFO(resumed.err);
  CHECK(resumed.status == 0);
  CHECK(resumed.says("passed over checkpoint last"));
  CHECK(resumed.says("resumed at step 40"));
  CHECK(toy(folder, {"predict", "run", "in.txt", "-o", "out2"}).status == 0);
}

TEST_CASE("checkpoints are asked for by the names there are") {
  const Folder folder;
  prepare(folder);
  folder.write("in.txt", "0 1\n");
  REQUIRE(toy(folder, {"train", "line.toml", "--run", "run", "train.steps=5"}).status == 0);
  for (const char* name : {"nosuch", "../checkpoints/last", "next"}) {
    const Result r = toy(folder, {"predict", "run", "in.txt", "-o", "out", "--checkpoint=" + std::string(name)});
    INFO(r.err);
    CHECK(r.status == 2);
    CHECK(r.says("error[checkpoint.unknown]"));
    CHECK(r.says("the run has last, best"));
  }
  const Result absent = toy(folder, {"evaluate", "run", "--checkpoint", "previous"});
  CHECK(absent.status == 2);
  CHECK(absent.says("error[checkpoint.not_found]"));
}

TEST_CASE("a run killed before its first checkpoint begins at step 0, and its curves hold each step once") {
  const Folder folder;
  prepare(folder);
  crash_at_40(folder);
  fs::remove_all(folder.path / "run" / "checkpoints");
  fs::create_directories(folder.path / "run" / "checkpoints");
  const Result r = toy(folder, {"train", "--resume", "run"});
  INFO(r.err);
  REQUIRE(r.status == 0);
  std::istringstream lines(slurp(folder.path / "run" / "metrics.jsonl"));
  std::multiset<std::int64_t> steps;
  for (std::string line; std::getline(lines, line);)
    if (const json j = json::parse(line); j["kind"] == "step") steps.insert(j["step"].get<std::int64_t>());
  CHECK(steps.size() == 12);
  for (std::int64_t s : steps) CHECK(steps.count(s) == 1);
}

TEST_CASE("an average of weights that is turned on at resumption begins with the weights there") {
  const Folder folder;
  prepare(folder);
  REQUIRE(toy(folder, {"train", "line.toml", "--run", "plain", "train.average=0"}).status == 0);
  REQUIRE(toy(folder, {"train", "line.toml", "--run", "run", "train.steps=40", "train.average=0"}).status == 0);
  std::string recipe = slurp(folder.path / "run" / "recipe.toml");
  recipe.replace(recipe.find("steps = 40"), 10, "steps = 60");
  folder.write("run/recipe.toml", recipe);
  set_metadata(folder, "tenon.finished", "1", "0");
  // the longest average there is: from random weights it would score badly
  const Result r = toy(folder, {"train", "--resume", "run", "train.average=1", "--json"});
  INFO(r.err);
  REQUIRE(r.status == 0);
  CHECK(json::parse(r.out)["scores"]["metrics"][0]["mean"].get<double>() < 0.4);
}

TEST_CASE("demands are read before training, not after it") {
  const Folder folder;
  prepare(folder);
  const auto before = folder.list();
  for (const auto& [demand, said] : {std::pair<std::string, std::string>{"error > 3", "is not a demand"}, {"eror <= 3", "'error'"}, {" <= 3", "is not a demand"}}) {
    const Result r = toy(folder, {"train", "line.toml", "train.require=[\"" + demand + "\"]"});
    INFO(r.err);
    CHECK(r.status == 2);
    CHECK(r.says("error[train.require]"));
    CHECK(r.says(said));
    CHECK(folder.list() == before);
  }
  CHECK(toy(folder, {"train", "line.toml", "train.require=[\"error <= 3\"]", "train.evaluate=false"}).says("error[train.require]"));
  CHECK(folder.list() == before);
}

TEST_CASE("data without a case to validate on is refused before training, unless nothing is validated") {
  const Folder folder;
  prepare(folder);
  const Result r = toy(folder, {"train", "line.toml", "data.mode=exact"});  // the toy's way of having no validation split
  CHECK(r.status == 3);
  CHECK(r.says("error[train.no_validation]"));
  CHECK_FALSE(fs::exists(folder.path / "runs"));
  CHECK(toy(folder, {"train", "line.toml", "data.mode=exact", "train.evaluate=false"}).status == 0);
}

TEST_CASE("a run that fails says so in its state") {
  const Folder folder;
  prepare(folder);
  const Result r = toy(folder, {"train", "line.toml", "schedule.learning_rate=1e30", "optimizer.clip=0", "--run", "run"});
  INFO(r.err);
  CHECK(r.status == 3);
  CHECK(r.says("error[train.not_finite]"));
  CHECK_FALSE(r.says("the last checkpoint is good"));  // there is none yet
  CHECK(state_of(folder.path / "run")["status"] == "failed");
}

TEST_CASE("seeds are whole numbers that a recipe can hold") {
  const Folder folder;
  prepare(folder);
  for (const char* seed : {"-1", "99999999999999999999999", "1.5", "x"}) {
    const Result bad = toy(folder, {"train", "line.toml", "--run", "bad", "--seed", seed});
    CHECK(bad.status == 2);
    CHECK(bad.says("seed = " + std::string(seed) + " is not"));
  }
  CHECK(toy(folder, {"train", "line.toml", "--seed", "9223372036854775807", "--run", "big"}).status == 0);
  CHECK(toy(folder, {"evaluate", "big"}).status == 0);
  const Result r = toy(folder, {"train", "line.toml", "--seed", "9223372036854775808", "--run", "bigger"});
  CHECK(r.status == 2);
  CHECK(r.says("error[recipe.wrong_type]"));
  CHECK_FALSE(fs::exists(folder.path / "bigger"));
}

TEST_CASE("a folder in place of a recipe is a usage error") {
  const Folder folder;
  prepare(folder);
  const Result r = toy(folder, {"train", "points"});
  CHECK(r.status == 2);
  CHECK(r.says("is a folder"));
}

TEST_CASE("the report promises the same bits for a number of steps, and not for minutes") {
  const Folder folder;
  prepare(folder);
  REQUIRE(toy(folder, {"train", "line.toml", "--run", "steps"}).status == 0);
  REQUIRE(toy(folder, {"train", "line.toml", "--run", "minutes", "train.steps=0", "train.minutes=0.01"}).status == 0);
  const std::string steps = slurp(folder.path / "steps" / "report.html"), minutes = slurp(folder.path / "minutes" / "report.html");
  CHECK(steps.find("the same bit for bit") != std::string::npos);
  CHECK(minutes.find("the same bit for bit") == std::string::npos);
  CHECK(minutes.find("The clock paced this run") != std::string::npos);
  nlohmann::json state = nlohmann::json::parse(slurp(folder.path / "steps" / "state.json"));
  state["earlier_devices"] = {"cuda:0"};
  std::ofstream(folder.path / "steps" / "state.json") << state.dump();
  REQUIRE(toy(folder, {"report", "steps"}).status == 0);
  const std::string moved = slurp(folder.path / "steps" / "report.html");
  CHECK(moved.find("Parts of this run were computed on cuda:0") != std::string::npos);
  CHECK(moved.find("the same bit for bit") == std::string::npos);
}
