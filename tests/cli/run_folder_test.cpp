/// What a run's folder may hold before, what is left of one that did not begin, and one that cannot be written to.
#include <catch2/catch.hpp>
#include <sys/stat.h>

#include "run.hpp"

using namespace cli;

namespace {

void prepare(const Folder& folder) {
  folder.write("line.toml",
               "name = \"line\"\ntask = \"toy.regression\"\n[data]\nroot = \"points\"\n[train]\nsteps = 10\nbatch = 4\n[schedule]\nlearning_rate = 0.1\n");
  folder.write("points/points.txt", "1 2 3\n");
}

Result toy(const Folder& folder, std::vector<std::string> arguments) { return tenon(with_toy(std::move(arguments)), folder.path); }

}  // namespace

TEST_CASE("what a run leaves that was killed while data were read is taken by the next one") {
  const Folder folder;
  prepare(folder);
  folder.write("run/.lock", "");
  folder.write("run/.recipe.toml.tmp-12-0", "na");
  fs::create_directories(folder.path / "run" / "checkpoints");
  const Result resumed = toy(folder, {"train", "--resume", "run"});
  CHECK(resumed.status == 2);
  CHECK(resumed.says("tenon train RECIPE --run run"));  // and that works:
  const Result again = toy(folder, {"train", "line.toml", "--run", "run"});
  INFO(again.err);
  CHECK(again.status == 0);
  const Result whole = toy(folder, {"train", "line.toml", "--run", "run"});
  CHECK(whole.status == 2);
  CHECK(whole.says("error[run.exists]"));
  CHECK(whole.says("tenon train --resume run"));
}

TEST_CASE("a folder with anything else, and a file, are not taken for a run's") {
  const Folder folder;
  prepare(folder);
  folder.write("mine/.lock", "");
  folder.write("mine/notes.txt", "mine");
  folder.write("file", "mine");
  const auto before = folder.list();
  for (const char* place : {"mine", "file", "file/run"}) {
    const Result r = toy(folder, {"train", "line.toml", "--run", place});
    INFO(r.err);
    CHECK(r.status == 2);
    CHECK_FALSE(r.says("--resume"));
    CHECK(folder.list() == before);
  }
}

TEST_CASE("a run that did not begin leaves what was there, and nothing else") {
  const Folder folder;
  prepare(folder);
  fs::remove(folder.path / "points" / "points.txt");
  fs::create_directories(folder.path / "empty");
  fs::create_directories(folder.path / "runs");
  folder.write("killed/.lock", "");
  const auto before = folder.list();
  for (const char* place : {"new/deep/run", "empty", "killed", ""}) {
    std::vector<std::string> command{"train", "line.toml"};
    if (*place) command.insert(command.end(), {"--run", place});
    const Result r = toy(folder, command);
    INFO(place << ": " << r.err);
    CHECK(r.says("error[toy.no_points]"));
    CHECK(folder.list() == before);
  }
}

TEST_CASE("a run that cannot be written to is not scored in vain") {
  const Folder folder;
  prepare(folder);
  REQUIRE(toy(folder, {"train", "line.toml", "--run", "run"}).status == 0);
  REQUIRE(::chmod(folder.path.c_str(), 0755) == 0);
  REQUIRE(::chmod((folder.path / "run").c_str(), 0555) == 0);
  const uid_t nobody = ::geteuid() == 0 ? 65534 : 0;  // root may write everywhere
  const Result r = Running(with_toy({"evaluate", "run"}), folder.path, {}, nobody).wait();
  CHECK(::chmod((folder.path / "run").c_str(), 0755) == 0);
  INFO(r.err);
  CHECK(r.status == 2);
  CHECK(r.says("error[run.read_only]"));
  CHECK(r.says("Permission denied"));
  CHECK(r.says("copy the run"));
}

TEST_CASE("report of several runs also writes a page that links them") {
  const Folder folder;
  folder.write("line.toml", "name = \"line\"\ntask = \"toy.regression\"\n[data]\nroot = \"points\"\n[train]\nsteps = 4\nbatch = 2\n");
  folder.write("points/points.txt", "1 2 3\n");
  REQUIRE(tenon(with_toy({"train", "line.toml", "--run", "runs/a"}), folder.path).status == 0);
  REQUIRE(tenon(with_toy({"train", "line.toml", "--run", "runs/b"}), folder.path).status == 0);
  const Result pages = tenon({"report", "runs/a", "runs/b"}, folder.path);
  REQUIRE(pages.status == 0);
  CHECK(pages.prints("summary.html"));
  const std::string page = slurp(folder.path / "runs" / "summary.html");
  CHECK(page.find("href=\"a/report.html\"") != std::string::npos);
  CHECK(page.find("href=\"b/report.html\"") != std::string::npos);
  CHECK(page.find("always one") != std::string::npos);
  REQUIRE(tenon({"report", "runs/a", "--summary", "one.html", "--json"}, folder.path).status == 0);
  CHECK(slurp(folder.path / "one.html").find("href=\"runs/a/report.html\"") != std::string::npos);
}

TEST_CASE("a report without the scores that could not be read says so in its status") {
  const Folder folder;
  folder.write("line.toml", "name = \"line\"\ntask = \"toy.regression\"\n[data]\nroot = \"points\"\n[train]\nsteps = 4\nbatch = 2\n");
  folder.write("points/points.txt", "1 2 3\n");
  REQUIRE(tenon(with_toy({"train", "line.toml", "--run", "run"}), folder.path).status == 0);
  REQUIRE(tenon({"report", "run"}, folder.path).status == 0);
  folder.write("run/evaluation.json", "{\"format\": 1, ");
  const Result broken = tenon({"report", "run"}, folder.path);
  CHECK(broken.status == 3);
  CHECK(broken.says("evaluation.json cannot be read"));
  CHECK(broken.prints("report.html"));
}
