/// Names that are not UTF-8: refused where they would have to be read back, shown as well as can be where they are only shown.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "run.hpp"

using namespace cli;
using nlohmann::json;

namespace {

const std::string kLatin1 = "caf\xe9", kShown = "caf\\xe9";
const std::string kRecipe = "name = \"line\"\ntask = \"toy.regression\"\n[data]\nroot = \"points\"\n[train]\nsteps = 5\nbatch = 4\n";

void prepare(const Folder& folder, const fs::path& below = "") {
  folder.write(below / "line.toml", kRecipe);
  folder.write(below / "points/points.txt", "1 2 3\n");
}

Result toy(const fs::path& in, std::vector<std::string> arguments) {
  return tenon(with_toy(std::move(arguments)), in);
}

}  // namespace

TEST_CASE("a path of the recipe that is not UTF-8 is refused before training, at its line") {
  const Folder folder;
  prepare(folder, kLatin1);
  const auto before = folder.list();
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"train", "line.toml"}, {"train", "line.toml", "--dry-run"}, {"check", "line.toml"}}) {
    const Result r = toy(folder.path / kLatin1, arguments);
    INFO(r.err);
    CHECK(r.status == 2);
    CHECK(r.out.empty());
    CHECK(r.says("error[recipe.not_utf8]: line.toml:4: data.root: "));
    CHECK(r.says(kShown + "/points is not UTF-8"));
    CHECK(r.says("help: rename"));
  }
  CHECK(folder.list() == before);
  // The remedy that the message names.
  fs::create_directory_symlink(kLatin1, folder.path / "link");
  CHECK(toy(folder.path, {"train", "link/line.toml"}).status == 0);
  CHECK(toy(folder.path, {"evaluate", "runs/line"}).status == 0);
}

TEST_CASE("texts and names of the recipe that are not UTF-8 are refused") {
  const Folder folder;
  prepare(folder);
  folder.write(kLatin1 + ".toml", kRecipe.substr(kRecipe.find('\n') + 1));
  folder.write("points/" + kLatin1, "");
  const auto before = folder.list();
  const auto refused = [&](const std::vector<std::string>& arguments, const std::string& a, const std::string& b) {
    const Result r = toy(folder.path, arguments);
    INFO(r.err);
    CHECK(r.status == 2);
    CHECK(r.says("error[recipe.not_utf8]: " + a));
    CHECK(r.says(b));
  };
  refused({"train", kLatin1 + ".toml"}, kShown + ".toml: name", "add name");
  refused({"train", "line.toml", "name=" + kLatin1}, "command line, name", "not UTF-8");
  refused({"train", "line.toml", "data.list=" + kLatin1}, "command line, data.list", "write the value in UTF-8");
  refused({"train", "line.toml", "data.labels=[\"a\", \"" + kLatin1 + "\"]"}, "command line, data.labels", "not UTF-8");
  CHECK(folder.list() == before);
}

TEST_CASE("an input whose name could not be read back is bad data, and leaves no run") {
  const Folder folder;
  prepare(folder);
  folder.write("points/more" + kLatin1, "1\n");
  const Result r = toy(folder.path, {"train", "line.toml"});
  INFO(r.err);
  CHECK(r.status == 3);
  CHECK(r.says("error[run.input_name]: more" + kShown));
  CHECK_FALSE(fs::exists(folder.path / "runs"));
}

TEST_CASE("a run, an input and an output may have any name, and --json stays JSON") {
  const Folder folder;
  prepare(folder);
  folder.write("points/odd" + kLatin1, "");
  folder.write("points/bad" + kLatin1, "");
  folder.write(kLatin1 + ".txt", "0 1\n");
  const std::string run = "run-" + kLatin1, shown = "caf\xef\xbf\xbd";
  const auto answer = [&](int status, std::vector<std::string> arguments) {
    arguments.push_back("--json");
    const Result r = toy(folder.path, arguments);
    INFO(arguments[0] << ": " << r.err);
    CHECK(r.status == status);
    REQUIRE(json::accept(r.out));
    return json::parse(r.out);
  };
  CHECK(answer(0, {"train", "line.toml", "--run", run})["directory"].get<std::string>().ends_with("run-" + shown));
  answer(0, {"train", "--resume", run});
  answer(0, {"evaluate", run});
  CHECK(answer(0, {"report", run})["report"].get<std::string>().find(shown) != std::string::npos);
  const json written = answer(0, {"predict", run, kLatin1 + ".txt", "-o", "out-" + kLatin1})["written"];
  CHECK(written[0] == "out-" + shown + "/" + shown + ".txt");
  CHECK(fs::exists(folder.path / ("out-" + kLatin1) / (kLatin1 + ".txt")));
  const json check = answer(3, {"check", "line.toml"});
  CHECK(check["problems"][0]["where"] == "bad" + shown);
  CHECK(check["warnings"][0].get<std::string>().starts_with("odd" + shown));
}

TEST_CASE("control characters of names do not reach the terminal") {
  const Folder folder;
  const Result r = toy(folder.path, {"train", "re\x1b[31mcipe.toml"});
  INFO(r.err);
  CHECK(r.status == 2);
  CHECK(r.err.find('\x1b') == std::string::npos);
  CHECK(r.says("re\\x1b[31mcipe.toml"));
}
