#include <catch2/catch.hpp>
#include <chrono>
#include <nlohmann/json.hpp>

#include "run.hpp"

using namespace cli;

TEST_CASE("help and version go to standard output with exit 0") {
  const Result help = tenon({"--help"});
  CHECK(help.status == 0);
  CHECK(help.err.empty());
  for (const char* command : {"train", "evaluate", "predict", "report", "check", "plugins", "devices", "data", "explain", "completion"}) CHECK(help.prints(command));
  CHECK(tenon({"-h"}).out == help.out);
  CHECK(tenon({}).out == help.out);
  CHECK(tenon({"train", "--help"}).prints("Usage: tenon train [OPTIONS]"));
  CHECK(tenon({"data", "fetch", "--help"}).prints("--from"));
  CHECK(tenon({"--version"}).out.starts_with("tenon "));
}

TEST_CASE("help is there at once") {
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    CHECK(tenon({"--help"}).status == 0);
    best = std::min(best, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  WARN("tenon --help: best of 5 " << best << " ms (aim: below 20)");
}

TEST_CASE("an unknown command, option or argument is exit 2 with the nearest name") {
  const Result command = tenon({"trian", "x.toml"});
  CHECK(command.status == 2);
  CHECK(command.out.empty());
  CHECK(command.says("error[command.unknown]"));
  CHECK(command.says("'train'"));
  CHECK(command.says("more: tenon explain command.unknown"));
  const Result option = tenon({"train", "x.toml", "--dry-rnu"});
  CHECK(option.status == 2);
  CHECK(option.says("error[command.unknown_option]"));
  CHECK(option.says("'--dry-run'"));
  CHECK(tenon({"report", "a", "b"}).says("error[command.unexpected]"));
  CHECK(tenon({"report"}).says("error[command.missing_argument]"));
  CHECK(tenon({"data"}).status == 2);
  CHECK(tenon({"devices", "--threads", "many"}).says("error[command.bad_value]"));
  CHECK(tenon({"devices", "--threads", "0"}).status == 2);
  CHECK(tenon({"completion", "tcsh"}).status == 2);
  CHECK(tenon({"train"}).says("no recipe given"));
  CHECK(tenon({"train", "a.toml", "b.toml"}).says("unexpected argument 'b.toml'"));
}

TEST_CASE("a run or recipe that is not there is exit 2") {
  const Folder folder;
  CHECK(tenon({"train", "none.toml"}, folder.path).says("error[recipe.not_found]"));
  CHECK(tenon({"train", "--resume", "none"}, folder.path).says("error[run.not_a_run]"));
  for (const char* command : {"evaluate", "report"}) {
    const Result r = tenon({command, "none"}, folder.path);
    CHECK(r.status == 2);
    CHECK(r.says("error[run.not_a_run]: none: there is no such folder"));
  }
  CHECK(tenon({"predict", "none", "a.nii", "-o", "out"}, folder.path).status == 2);
  CHECK(folder.list().empty());
}

TEST_CASE("lists are tables, and JSON when asked") {
  using nlohmann::json;
  const Result plugins = tenon(with_toy({"plugins", "--json"}));
  REQUIRE(plugins.status == 0);
  bool seen = false;
  const json listed = json::parse(plugins.out);
  for (const json& p : listed["plugins"])
    if (p["name"] == "toy") {
      seen = true;
      CHECK(p["state"] == "active");
      CHECK(p["provides"].size() == 4);
    }
  CHECK(seen);
  CHECK(tenon(with_toy({"plugins"})).prints("A straight line, for the tests"));
  const json devices = json::parse(tenon({"devices", "--json", "--threads", "2"}).out);
  CHECK(devices["threads"] == 2);
  CHECK(devices["devices"][0]["device"] == "cpu");
  CHECK(json::parse(tenon({"data", "list", "--json"}).out).size() >= 2);
  CHECK(tenon({"data", "info", "hippocampus"}).prints("CC BY-SA 4.0"));
  CHECK(tenon({"data", "info", "hipocampus"}).says("'hippocampus'"));
  for (const char* shell : {"bash", "zsh", "fish"}) CHECK(tenon({"completion", shell}).prints("evaluate"));
}

TEST_CASE("the bash completion script is valid and completes") {
  const Folder folder;
  folder.write("c.sh", tenon({"completion", "bash"}).out + "\nCOMP_WORDS=(tenon ev); COMP_CWORD=1; _tenon; echo \"${COMPREPLY[0]}\"\nCOMP_WORDS=(tenon train --dry); COMP_CWORD=2; _tenon; echo \"${COMPREPLY[0]}\"\n");
  const std::string run = "bash " + (folder.path / "c.sh").string() + " > " + (folder.path / "out").string();
  REQUIRE(std::system(run.c_str()) == 0);
  CHECK(slurp(folder.path / "out") == "evaluate\n--dry-run\n");
}

TEST_CASE("tools of a plugin get their options from the declared parameters") {
  CHECK(tenon(with_toy({"toy", "scale", "3", "4"})).out == "6\n8\n");
  CHECK(tenon(with_toy({"toy", "scale", "3", "4", "--factor", "-1", "--same-line"})).out == "-3 -4 \n");
  CHECK(tenon(with_toy({"toy", "scale", "--extra", "1,2.5"})).out == "1\n2.5\n");
  CHECK(tenon(with_toy({"toy", "--help"})).prints("Multiplies numbers"));
  const Result help = tenon(with_toy({"toy", "scale", "--help"}));
  CHECK(help.status == 0);
  CHECK(help.prints("what to multiply with, -100 to 100 (2)"));
  CHECK(help.prints("NUMBER..."));
  const Result range = tenon(with_toy({"toy", "scale", "1", "--factor", "1000"}));
  CHECK(range.status == 2);
  CHECK(range.says("--factor"));
  CHECK(tenon(with_toy({"toy", "scale", "1", "--fctor", "3"})).says("'--factor'"));
  CHECK(tenon(with_toy({"toy", "scael"})).says("scale"));
  CHECK(tenon(with_toy({"toy", "scael"})).status == 2);
  CHECK(tenon(with_toy({"toi", "scale"})).says("'toy'"));
}
