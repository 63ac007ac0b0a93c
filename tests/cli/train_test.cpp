#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <thread>

#include "run.hpp"

using namespace cli;
using nlohmann::json;

namespace {

const std::string kRecipe =
    "name = \"line\"\ntask = \"toy.regression\"\n[data]\nroot = \"points\"\n[train]\nsteps = 60\nbatch = 4\ncheckpoint_every = 20\n"
    "[optimizer]\nmomentum = 0.5\nweight_decay = 0.0\n[schedule]\nlearning_rate = 0.1\n";

void prepare(const Folder& folder, const std::string& recipe = kRecipe) {
  folder.write("line.toml", recipe);
  folder.write("points/points.txt", "1 2 3\n");
}

// The tensors of a safetensors file: what follows its header, which also holds the wall-clock time.
std::string tensors(const fs::path& file) {
  const std::string bytes = slurp(file);
  REQUIRE(bytes.size() > 8);
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  REQUIRE(bytes.size() > 8 + header);
  return bytes.substr(8 + header);
}

Result toy(const Folder& folder, std::vector<std::string> arguments) { return tenon(with_toy(std::move(arguments)), folder.path); }

}  // namespace

TEST_CASE("train, evaluate, predict and report over one run") {
  const Folder folder;
  prepare(folder);
  const Result trained = toy(folder, {"train", "line.toml"});
  INFO(trained.err);
  REQUIRE(trained.status == 0);
  CHECK(trained.prints("error (m)"));
  CHECK(trained.prints("always one"));
  CHECK(trained.prints("95 % interval"));
  const fs::path run = folder.path / "runs" / "line";
  CHECK(fs::exists(run / "report.html"));
  CHECK(trained.prints("report.html"));

  fs::remove(run / "report.html");
  const Result scores = toy(folder, {"evaluate", "runs/line", "--json"});
  CHECK(fs::exists(run / "report.html"));  // with these scores, not those of an earlier split
  REQUIRE(scores.status == 0);
  const json metrics = json::parse(scores.out)["metrics"];
  CHECK(metrics[0]["mean"].get<double>() < 0.3);
  CHECK(metrics[0]["low"].get<double>() <= metrics[0]["mean"].get<double>());
  CHECK(metrics[0]["scored"] == 3);
  CHECK(metrics[0]["baselines"][0]["name"] == "always one");

  const Result changed = toy(folder, {"evaluate", "runs/line", "data.root=" + (folder.path / "points").string(), "--json"});
  REQUIRE(changed.status == 0);
  CHECK(json::parse(changed.out)["evaluation"]["overrides"][0] == "data.root=" + (folder.path / "points").string());
  CHECK(json::parse(changed.out)["evaluation"]["checkpoint"] == "last");
  REQUIRE(toy(folder, {"evaluate", "runs/line"}).status == 0);
  CHECK(toy(folder, {"predict", "runs/line", "line.toml", "-o", ""}).status == 2);

  folder.write("in.txt", "0 1\n");
  const Result predicted = toy(folder, {"predict", "runs/line", "in.txt", "-o", "out"});
  CHECK(predicted.status == 0);
  CHECK(fs::exists(folder.path / "out" / "in.txt"));
  CHECK(toy(folder, {"predict", "runs/line", "in.txt", "-o", "out"}).status == 2);
  CHECK(toy(folder, {"predict", "runs/line", "in.txt", "-o", "out", "--overwrite"}).status == 0);
  const Result absent = toy(folder, {"predict", "runs/line", "in.txt", "absent.txt", "-o", "new"});
  CHECK(absent.status == 3);
  CHECK(absent.says("error[predict.no_input]"));
  const Result file = toy(folder, {"predict", "runs/line", "in.txt", "-o", "line.toml"});
  CHECK(file.status == 2);
  CHECK(file.says("error[predict.output]: line.toml: this is a file"));
  CHECK_FALSE(fs::exists(folder.path / "new"));

  const Result report = toy(folder, {"report", "runs/line"});
  CHECK(report.status == 0);
  CHECK(report.prints("report.html"));

  // Prediction needs no training data.
  fs::remove_all(folder.path / "points");
  CHECK(toy(folder, {"predict", "runs/line", "in.txt", "-o", "out2"}).status == 0);
  CHECK(toy(folder, {"report", "runs/line"}).status == 0);
}

TEST_CASE("a prediction that fails leaves no folder that it made") {
  const Folder folder;
  prepare(folder);
  REQUIRE(toy(folder, {"train", "line.toml", "train.steps=5"}).status == 0);
  fs::create_directories(folder.path / "bad.txt");
  const Result bad = toy(folder, {"predict", "runs/line", "bad.txt", "-o", "deep/er/out"});
  CHECK(bad.status == 3);
  CHECK_FALSE(fs::exists(folder.path / "deep"));
  fs::create_directories(folder.path / "mine");
  CHECK(toy(folder, {"predict", "runs/line", "bad.txt", "-o", "mine"}).status == 3);
  CHECK(fs::exists(folder.path / "mine"));
}

TEST_CASE("warnings of the data are one line each on standard error, listed by check, kept in the log, and change no status") {
  const Folder folder;
  prepare(folder);
  folder.write("points/odd.txt", "");
  const std::string line = "warning: odd.txt: its name begins with odd\n";
  const Result check = toy(folder, {"check", "line.toml"});
  CHECK(check.status == 0);
  CHECK(check.err == line);
  CHECK(check.prints("no problem found, warnings for 1 file"));
  CHECK(json::parse(toy(folder, {"check", "line.toml", "--json"}).out)["warnings"][0] == "odd.txt: its name begins with odd");
  CHECK(toy(folder, {"check", "line.toml", "--quiet"}).err.empty());
  const Result trained = toy(folder, {"train", "line.toml", "train.steps=5"});
  CHECK(trained.status == 0);
  CHECK(trained.says(line));
  CHECK(slurp(folder.path / "runs/line/log.txt").find(line) != std::string::npos);
}

TEST_CASE("a pipe in place of a recipe or an input is refused at once") {
  const Folder folder;
  prepare(folder);
  REQUIRE(mkfifo((folder.path / "pipe").c_str(), 0600) == 0);
  for (const char* command : {"train", "check"}) {
    const Result r = toy(folder, {command, "pipe"});
    CHECK(r.status == 2);
    CHECK(r.says("error[recipe.not_found]"));
    CHECK(r.says("no regular file"));
  }
  REQUIRE(toy(folder, {"train", "line.toml", "train.steps=5"}).status == 0);
  const Result r = toy(folder, {"predict", "runs/line", "pipe", "-o", "out"});
  CHECK(r.status == 3);
  CHECK(r.says("error[io.not_a_file]"));
}

TEST_CASE("train, evaluate and predict take a device and threads, a device that is not there is exit 6 and writes nothing") {
  const Folder folder;
  prepare(folder);
  folder.write("in.txt", "0 1\n");
  const std::vector<std::string> train{"train", "line.toml", "train.steps=5"}, evaluate{"evaluate", "runs/line", "--json"},
      predict{"predict", "runs/line", "in.txt", "-o", "out"};
  const auto with = [&](std::vector<std::string> command, const std::string& device) {
    command.insert(command.end(), {"--device", device, "--threads", "1"});
    return toy(folder, command);
  };
  const auto refused = [&] {
    const auto before = folder.list();
    for (const auto& command : {train, evaluate, predict}) {
      INFO(command[0]);
      if (command != train && !fs::exists(folder.path / "runs")) continue;
      const Result absent = with(command, "cuda:99");
      CHECK(absent.status == 6);
      CHECK(absent.out.empty());
      CHECK(absent.says("error[device.not_available]"));
      CHECK(absent.says("there is no cuda:99; usable here: cpu"));
      CHECK(absent.says("--device auto"));
      CHECK(with(command, "gpu").says("error[device.unknown]"));
      CHECK(with(command, "gpu").status == 2);
      CHECK(folder.list() == before);
    }
  };
  refused();
  REQUIRE(with(train, "cpu").status == 0);
  refused();
  const Result scores = with(evaluate, "cpu");
  REQUIRE(scores.status == 0);
  CHECK(with(evaluate, "auto").out == scores.out);
  CHECK(toy(folder, evaluate).out == scores.out);
  CHECK(with(predict, "cpu").status == 0);
  CHECK(fs::exists(folder.path / "out" / "in.txt"));
}

TEST_CASE("a dry run prints the resolved recipe and writes nothing") {
  const Folder folder;
  prepare(folder);
  const auto before = folder.list();
  const Result nowhere = toy(folder, {"train", "line.toml", "--device", "gpu", "--dry-run"});
  CHECK(nowhere.status == 2);
  CHECK(nowhere.says("error[device.unknown]"));
  CHECK(toy(folder, {"train", "line.toml", "--device", "cuda:1", "--dry-run"}).status == 0);  // it may be another machine's
  const Result r = toy(folder, {"train", "line.toml", "train.steps=5", "--seed", "42", "--dry-run"});
  CHECK(r.status == 0);
  CHECK(r.prints("seed = 42\n"));
  CHECK(r.prints("steps = 5\n"));
  CHECK(r.prints("  # default\n"));
  CHECK(folder.list() == before);
}

TEST_CASE("a wrong recipe is exit 2, with place and remedy, and writes nothing") {
  const Folder folder;
  prepare(folder);
  const auto before = folder.list();
  const auto refused = [&](const std::vector<std::string>& overrides, const std::string& a, const std::string& b) {
    std::vector<std::string> arguments{"train", "line.toml"};
    arguments.insert(arguments.end(), overrides.begin(), overrides.end());
    const Result r = toy(folder, arguments);
    INFO(r.err);
    CHECK(r.status == 2);
    CHECK(r.out.empty());
    CHECK(r.says(a));
    CHECK(r.says(b));
    CHECK(folder.list() == before);
  };
  refused({"train.step=5"}, "command line", "'steps'");
  refused({"train.steps=many"}, "train.steps", "error[");
  refused({"train.batch=0"}, "batch", "error[");
  refused({"data.root=absent"}, "error[recipe.missing_file]", "absent");
  refused({"train.minutes=inf"}, "train.minutes", "error[param.range]");
  refused({"data.list=point.txt", "--dry-run"}, "command line, data.list", "'points.txt'");
  refused({"train.require=[\"x <= 1\"]", "--dry-run"}, "command line, train.require", "error[train.require]");
  refused({"model.name=toy.lyne", "--dry-run"}, "command line, model.name", "'toy.line'");
  refused({"model.name=toy.line", "train.precision=bf16", "--dry-run"}, "command line, train.precision", "error[recipe.precision]");
  refused({"--seed", "-1"}, "seed = -1 is not", "error[recipe.wrong_type]");
  folder.write("line.toml", "task = \"toy.regression\"\n[data]\nroot = \"points\"\n[train]\nstesp = 3\n");
  refused({}, "line.toml:5", "'steps'");
  folder.write("line.toml", "task = \"toy.regression\"\n[data]\nroot = \"points\"\nnoise = \"loud\"\n");
  refused({}, "line.toml:4", "noise");
  folder.write("line.toml", "task = \"toy.regression\"\n[data]\nroot = \"points\"\nlist = \"nosuch\"\n[train]\nsteps = 1\n");
  refused({"--dry-run"}, "line.toml:4", "data.list");
  refused({}, "line.toml:4", "data.list");
  folder.write("line.toml", "task = \"toy.regression\n");
  refused({}, "line.toml:1:", "error[recipe.syntax]");
}

TEST_CASE("check refuses a recipe as train does, and lists the bad cases first") {
  const Folder folder;
  prepare(folder);
  const auto same = [&](const std::vector<std::string>& overrides) {
    auto arguments = overrides;
    arguments.insert(arguments.begin(), {"check", "line.toml"});
    const Result check = toy(folder, arguments);
    arguments[0] = "train";
    arguments.push_back("--dry-run");
    const Result train = toy(folder, arguments);
    INFO(check.err << train.err);
    CHECK(check.status == 2);
    CHECK(train.status == 2);
    CHECK(check.err == train.err);
    return check;
  };
  const std::string data = "task = \"toy.regression\"\n[data]\nroot = \"points\"\n";
  folder.write("line.toml", data + "list = \"point.txt\"\n[train]\nsteps = 1\n");
  CHECK(same({}).says("error[recipe.missing_file]: line.toml:4: data.list: no file 'point.txt'\n  help: did you mean 'points.txt'?"));
  CHECK(same({}).out.empty());
  folder.write("points/bad1.txt", "");
  folder.write("points/bad2.txt", "");
  const Result listed = same({});
  for (const char* text : {"bad1.txt", "bad2.txt", "2 problems"}) CHECK(listed.prints(text));
  CHECK(json::parse(same({"--json"}).out)["problems"].size() == 2);
  folder.write("line.toml", data + "[train]\nsteps = 1\nrequire = [\"x <= 1\"]\n");
  CHECK(same({}).says("error[train.require]: line.toml:6"));
  CHECK(same({"data.mode=refused"}).says("error[toy.mode]: command line, data.mode"));
}

TEST_CASE("bad data is exit 3, check lists all of it at once") {
  const Folder folder;
  prepare(folder);
  CHECK(toy(folder, {"check", "line.toml"}).status == 0);
  folder.write("points/bad1.txt", "");
  folder.write("points/bad2.txt", "");
  const Result r = toy(folder, {"check", "line.toml"});
  CHECK(r.status == 3);
  CHECK(r.prints("bad1.txt"));
  CHECK(r.prints("bad2.txt"));
  CHECK(r.prints("2 problems"));
  const Result as_json = toy(folder, {"check", "line.toml", "--json"});
  CHECK(json::parse(as_json.out)["problems"].size() == 2);
  fs::remove(folder.path / "points" / "points.txt");
  const Result train = toy(folder, {"train", "line.toml"});
  CHECK(train.status == 3);
  CHECK(train.says("error[toy.no_points]"));
}

TEST_CASE("a demanded figure that is not met is exit 7, with scores and report") {
  const Folder folder;
  prepare(folder);
  const Result r = toy(folder, {"train", "line.toml", "train.steps=2", "train.require=[\"error <= 0.000001\"]"});
  INFO(r.err);
  CHECK(r.status == 7);
  CHECK(r.says("error[train.acceptance]"));
  CHECK(r.prints("always one"));
  CHECK(fs::exists(folder.path / "runs" / "line" / "report.html"));

  const Result as_json = toy(folder, {"train", "line.toml", "train.steps=2", "train.require=[\"error <= 0.000001\"]", "--json"});
  CHECK(as_json.status == 7);
  CHECK(as_json.says("error[train.acceptance]"));
  REQUIRE(json::accept(as_json.out));
  const json result = json::parse(as_json.out);
  CHECK(result["status"] == "missed");
  CHECK(result["missed"].get<std::string>().starts_with("error reached "));
  CHECK(result["steps"] == 2);
  CHECK(result["scores"]["metrics"][0]["mean"].get<double>() > 0.000001);
  CHECK(fs::exists(folder.path / result["report"].get<std::string>()));
}

TEST_CASE("an evaluation that is stopped is exit 130, and an object where JSON was asked for", "[slow]") {
  const Folder folder;
  prepare(folder);
  folder.write("points/odd.txt", "");  // its warning tells that the command has begun and takes signals
  REQUIRE(toy(folder, {"train", "line.toml", "train.steps=5", "--run", "run"}).status == 0);
  const std::string evaluation = slurp(folder.path / "run" / "evaluation.json");
  for (const bool as_json : {true, false}) {
    std::vector<std::string> arguments{"evaluate", "run", "data.pause=1000"};
    if (as_json) arguments.push_back("--json");
    Running running(with_toy(arguments), folder.path);
    for (int i = 0; i < 3000 && running.errors().find("warning: odd.txt") == std::string::npos; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    running.interrupt();
    const Result r = running.wait();
    INFO(r.err);
    CHECK(r.status == 130);
    CHECK(r.says("interrupted: stopped while scoring"));
    if (as_json)
      CHECK(json::parse(r.out, nullptr, false).value("status", "") == "interrupted");
    else
      CHECK(r.out.empty());
  }
  CHECK(slurp(folder.path / "run" / "evaluation.json") == evaluation);
}

TEST_CASE("an interrupt saves, exits 75 and names the command that goes on, the end is the same bits", "[slow]") {
  const Folder folder;
  prepare(folder);
  const std::vector<std::string> slow{"train", "line.toml", "data.pause=20", "train.steps=80", "--run"};
  auto whole = slow, stopped = slow;
  whole.push_back("whole");
  stopped.push_back("stopped");
  REQUIRE(toy(folder, whole).status == 0);

  Running running(with_toy(stopped), folder.path);
  for (int i = 0; i < 200 && !fs::exists(folder.path / "stopped" / "metrics.jsonl"); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  running.interrupt();
  const Result r = running.wait();
  INFO(r.err);
  REQUIRE(r.status == 75);
  CHECK(r.says("tenon train --resume"));
  Running silent(with_toy({"train", "line.toml", "data.pause=20", "train.steps=500", "-q", "--run", "silent"}), folder.path);
  for (int i = 0; i < 200 && !fs::exists(folder.path / "silent" / "metrics.jsonl"); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  silent.interrupt();
  const Result quiet = silent.wait();
  CHECK(quiet.status == 75);
  CHECK(quiet.err.empty());
  const Result resumed = toy(folder, {"train", "--resume", "stopped"});
  INFO(resumed.err);
  REQUIRE(resumed.status == 0);
  CHECK(tensors(folder.path / "stopped" / "checkpoints" / "last.safetensors") == tensors(folder.path / "whole" / "checkpoints" / "last.safetensors"));
  CHECK(toy(folder, {"train", "line.toml", "--resume", "stopped"}).says("error[command.conflict]"));
}

TEST_CASE("an interrupt hides no error: what could not be saved is said, with its own exit status") {
  const Folder folder;
  prepare(folder);
  Running running(with_toy({"train", "line.toml", "data.pause=20", "train.steps=500", "train.log_every=1", "train.checkpoint_every=100000", "--run", "run"}), folder.path);
  for (int i = 0; i < 200 && !fs::exists(folder.path / "run" / "metrics.jsonl"); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  fs::remove_all(folder.path / "run" / "checkpoints");
  folder.write("run/checkpoints", "a file where the folder was");
  running.interrupt();
  const Result r = running.wait();
  INFO(r.err);
  CHECK(r.status != 130);
  CHECK(r.status != 75);
  CHECK(r.says("error[io."));
  CHECK(r.says("checkpoints"));
}

TEST_CASE("a second interrupt ends at once with 130") {
  const Folder folder;
  prepare(folder);
  Running running(with_toy({"train", "line.toml", "data.pause=1000", "train.steps=100"}), folder.path);
  for (int i = 0; i < 200 && !fs::exists(folder.path / "runs" / "line" / "recipe.toml"); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  running.interrupt(SIGTERM);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  running.interrupt(SIGTERM);
  CHECK(running.wait().status == 130);
}

TEST_CASE("standard output holds results only, and JSON parses") {
  const Folder folder;
  prepare(folder);
  const Result r = toy(folder, {"train", "line.toml", "--json"});
  INFO(r.err);
  REQUIRE(r.status == 0);
  const json result = json::parse(r.out);
  CHECK(result["status"] == "finished");
  CHECK(result["steps"] == 60);
  CHECK(fs::exists(folder.path / result["report"].get<std::string>()));
  const Result quiet = toy(folder, {"train", "line.toml", "--quiet"});
  CHECK(quiet.status == 0);
  CHECK(quiet.err.empty());
}

TEST_CASE("train --profile writes a trace beside the run, and prints the costliest ops") {
  const Folder folder;
  prepare(folder);
  folder.write("in.txt", "0 1\n");
  const auto ops = [&](const char* file) {
    std::size_t n = 0;
    const json trace = json::parse(slurp(folder.path / "run" / file));
    for (const auto& e : trace["traceEvents"]) n += e.value("cat", "") == "op";
    return n;
  };
  const Result trained = toy(folder, {"train", "line.toml", "--run", "run", "--profile", "--explain-plan"});
  INFO(trained.err);
  REQUIRE(trained.status == 0);
  CHECK(trained.says("profile of 20 steps"));
  CHECK(trained.says("optimiser.sgd"));
  CHECK(trained.says("launches, arena"));
  CHECK(slurp(folder.path / "run" / "plan.txt").find("launches, arena") != std::string::npos);
  CHECK(ops("profile.json") > 100);
  CHECK(toy(folder, {"evaluate", "run", "--profile"}).says("profile-evaluate.json"));
  CHECK(ops("profile-evaluate.json") > 0);
  CHECK(toy(folder, {"predict", "run", "in.txt", "-o", "out", "--profile"}).says("profile-predict.json"));
  CHECK(ops("profile-predict.json") > 0);
}

TEST_CASE("keys of [train] that were mistyped get the nearest, with file and line") {
  const Folder folder;
  prepare(folder, kRecipe + "[model]\nname = \"toy.net\"\n");
  std::string recipe = kRecipe;
  recipe.replace(recipe.find("batch = 4"), 9, "acumulate = 4");
  folder.write("line.toml", recipe);
  const Result r = toy(folder, {"train", "line.toml"});
  CHECK(r.status == 2);
  CHECK(r.says("line.toml:7"));
  CHECK(r.says("'accumulate'"));
}

TEST_CASE("several seeds: a run each, means with the t interval over runs") {
  const Folder folder;
  prepare(folder);
  const Result trained = toy(folder, {"train", "line.toml", "--seeds", "3", "--seed", "5"});
  INFO(trained.err);
  REQUIRE(trained.status == 0);
  CHECK(trained.prints("over 3 seeds"));
  for (const char* seed : {"5", "6", "7"}) CHECK(fs::exists(folder.path / "runs" / ("line-seed" + std::string(seed)) / "report.html"));

  const Result again = toy(folder, {"train", "line.toml", "--seeds", "2", "--seed", "5", "--json", "--quiet"});  // the same name: made unique
  REQUIRE(again.status == 0);
  const json out = json::parse(again.out);
  CHECK(fs::exists(folder.path / "runs" / "line-2-seed5"));
  REQUIRE(out["runs"].size() == 2);
  const std::vector<double> values = out["metrics"][0]["values"];
  REQUIRE(values.size() == 2);
  CHECK(values[0] == out["runs"][0]["scores"]["metrics"][0]["mean"]);
  const double half = 12.706204736174698 * std::abs(values[0] - values[1]) / 2;  // t of one degree of freedom, .975
  CHECK(out["metrics"][0]["mean"].get<double>() == Approx((values[0] + values[1]) / 2));
  CHECK(out["metrics"][0]["high"].get<double>() - out["metrics"][0]["low"].get<double>() == Approx(2 * half).epsilon(1e-9));

  // nothing is trained before every run has its folder and its seed
  folder.write("mine-seed6/kept.txt", "x");
  const Result taken = toy(folder, {"train", "line.toml", "--seeds", "2", "--seed", "5", "--run", "mine"});
  CHECK(taken.status == 2);
  CHECK(taken.says("error[run.exists]"));
  CHECK_FALSE(fs::exists(folder.path / "mine-seed5"));
  CHECK(toy(folder, {"train", "line.toml", "--seeds", "2", "--seed", "9223372036854775807", "--run", "far"}).status == 2);
  CHECK_FALSE(fs::exists(folder.path / "far-seed9223372036854775807"));
  CHECK(toy(folder, {"train", "--resume", "runs/line-seed5", "--seeds", "2"}).status == 2);
  CHECK(toy(folder, {"train", "line.toml", "--seeds", "0"}).status == 2);
}
