#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tenon/catalogue.hpp"
#include "tenon/error.hpp"
#include "tenon/plugin.hpp"
#include "tenon/recipe.hpp"

using namespace tenon;
namespace fs = std::filesystem;

namespace {

const std::string kHead = "name = \"try\"\ntask = \"toy.regression\"\nseed = 7\n";

Recipe parse(const std::string& text, const std::vector<std::string>& overrides = {}) {
  PluginHost::instance().set_extra_directories({fs::path(TENON_BINARY_DIR) / "tests" / "plugins-toy"});
  return Recipe::parse(text, "try.toml", "/somewhere", overrides);
}

// The error of a recipe that must be refused.
Error refused(const std::string& text, const std::vector<std::string>& overrides = {}) {
  try {
    parse(text, overrides);
  } catch (const Error& e) {
    return e;
  }
  FAIL("the recipe was taken");
  std::abort();
}

}  // namespace

TEST_CASE("a recipe holds what was given, and defaults for the rest", "[recipe]") {
  const Recipe r = parse(kHead + "[data]\nroot = \"scans\"\nnoise = 1\nweights = [1, 2.5]\nsizes = []\nlabels = [\"x\", \"y\"]\n[model]\nname = \"toy.line\"\nwidth = 8\n[train]\nsteps = 12\n");
  CHECK(r.name == "try");
  CHECK(r.task == "toy.regression");
  CHECK(r.model == "toy.line");
  CHECK(r.seed == 7);
  const ParamValues& data = r.section("data");
  CHECK(data.text("root") == "/somewhere/scans");
  CHECK(data.text("extra").empty());
  CHECK(data.real("noise") == 1.0);
  CHECK(data.reals("weights") == std::vector<double>{1, 2.5});
  CHECK(data.integers("sizes").empty());
  CHECK(data.texts("labels") == std::vector<std::string>{"x", "y"});
  CHECK(data.text("mode") == "fast");
  CHECK_FALSE(data.given("mode"));
  CHECK(data.given("noise"));
  CHECK_FALSE(r.section("augment").boolean("flip"));
  CHECK(r.section("model").integer("width") == 8);
  CHECK(r.section("train").integer("steps") == 12);
  CHECK(r.section("optimizer").text("name") == "sgd");
  CHECK(r.origins.at("data.noise") == "try.toml:6");
  CHECK_THROWS_AS(r.section("nothing"), Error);
}

TEST_CASE("the task chooses a model where the recipe does not", "[recipe]") {
  CHECK(parse(kHead + "[data]\nroot = \"a\"\n").model == "toy.line");
}

TEST_CASE("overrides win over the file and are checked alike", "[recipe]") {
  const std::string text = kHead + "[data]\nroot = \"scans\"\nnoise = 0.25\n";
  const Recipe r = parse(text, {"data.noise=0.5", "data.sizes=[3, 4]", "seed=9", "name=other", "model.name=toy.line", "data.root=here"});
  CHECK(r.section("data").real("noise") == 0.5);
  CHECK(r.section("data").integers("sizes") == std::vector<std::int64_t>{3, 4});
  CHECK(r.seed == 9);
  CHECK(r.name == "other");
  CHECK(r.section("data").text("root") == (fs::current_path() / "here").string());
  CHECK(refused(text, {"data.noize=0.5"}).hint().find("noise") != std::string::npos);
  CHECK(refused(text, {"data.noise=7"}).where().find("command line") == 0);
  CHECK(refused(text, {"dta.noise=0.5"}).hint().find("data") != std::string::npos);
  CHECK(refused(text, {"noise"}).code() == "recipe.override");
  CHECK(refused(text, {"=3"}).code() == "recipe.override");
  CHECK(refused(text, {"seed=-1"}).code() == "recipe.wrong_type");
  CHECK(refused(text, {"sed=1"}).hint().find("seed") != std::string::npos);
}

TEST_CASE("what the command line replaces need fit neither the model nor this machine", "[recipe]") {
  const std::string text = kHead + "[data]\nroot = \"a\"\nnoise = \"much\"\nsizes = 3\n";
  const Recipe r = parse(text, {"data.noise=0.5", "data.sizes=[3, 4]"});
  CHECK(r.section("data").real("noise") == 0.5);
  CHECK(r.section("data").integers("sizes") == std::vector<std::int64_t>{3, 4});
  CHECK(refused(text, {"data.noise=0.5"}).where() == "try.toml:7");
  CHECK(refused(kHead + "[data]\nroot = \"a\"\nnoize = 1\n", {"data.noize=2"}).where() == "try.toml:6");
}

TEST_CASE("an unknown key or section is refused with place and nearest name", "[recipe]") {
  const Error key = refused(kHead + "[data]\nroot = \"a\"\nnoize = 0.5\n");
  CHECK(key.kind() == ErrorKind::usage);
  CHECK(key.code() == "recipe.unknown_key");
  CHECK(key.where() == "try.toml:6");
  CHECK(key.hint().find("'noise'") != std::string::npos);
  const Error section = refused(kHead + "[data]\nroot = \"a\"\n[agument]\nflip = true\n");
  CHECK(section.where() == "try.toml:6");
  CHECK(section.hint().find("augment") != std::string::npos);
  const Error top = refused("nmae = \"x\"\n" + kHead);
  CHECK(top.where() == "try.toml:1");
  CHECK(top.hint().find("name") != std::string::npos);
}

TEST_CASE("a wrong type or range is refused with its place", "[recipe]") {
  const std::string text = kHead + "[data]\nroot = \"a\"\n";
  for (const std::string line : {"noise = \"much\"", "noise = true", "noise = 2", "noise = nan", "sizes = [1, 20]", "sizes = [1.5]", "sizes = 3", "labels = [1]",
                                 "mode = \"fats\"", "pause = 1.5", "noise = 1979-05-27", "noise = {a = 1}", "sizes = [1, \"a\"]", "root = 3"}) {
    INFO(line);
    const Error e = refused((line.starts_with("root") ? kHead + "[data]\n\n" : text) + line + "\n");
    CHECK(e.kind() == ErrorKind::usage);
    CHECK(e.where() == "try.toml:6");
    CHECK_FALSE(e.message().empty());
  }
  CHECK(refused(text + "mode = \"fats\"\n").hint().find("fast") != std::string::npos);
  CHECK(refused("task = 3\n").code() == "recipe.wrong_type");
  CHECK(refused("task = \"toy.regression\"\nseed = 1.5\n").where() == "try.toml:2");
  CHECK(refused("task = \"toy.regression\"\nseed = -1\n").code() == "recipe.wrong_type");
  CHECK(refused("task = \"toy.regression\"\nname = \"../x\"\n").code() == "recipe.name");
}

TEST_CASE("what is missing is said with section and help", "[recipe]") {
  const Error root = refused(kHead + "[data]\nnoise = 0.5\n");
  CHECK(root.code() == "recipe.missing_key");
  CHECK(root.where() == "try.toml:4");
  CHECK(root.message().find("data.root") != std::string::npos);
  CHECK(root.message().find("folder with points.txt") != std::string::npos);
  CHECK(refused("name = \"x\"\n").code() == "recipe.missing_key");
}

TEST_CASE("unknown tasks and models are refused at their line", "[recipe]") {
  const Error task = refused("name = \"x\"\ntask = \"toy.regresion\"\n");
  CHECK(task.kind() == ErrorKind::usage);
  CHECK(task.where() == "try.toml:2");
  CHECK(task.hint().find("toy.regression") != std::string::npos);
  const Error model = refused(kHead + "[data]\nroot = \"a\"\n[model]\nname = \"toy.lyne\"\n");
  CHECK(model.kind() == ErrorKind::usage);
  CHECK(model.where() == "try.toml:7");
  CHECK(model.hint().find("toy.line") != std::string::npos);
}

TEST_CASE("a recipe's name is that of a folder", "[recipe]") {
  for (const char* name : {"a\\u0000b", "a/b", "a\\nb", ".a", "..", "\\u007f"}) {
    const Error e = refused("task = \"toy.regression\"\nname = \"" + std::string(name) + "\"\n[data]\nroot = \"a\"\n");
    INFO(name);
    CHECK(e.code() == "recipe.name");
    CHECK(e.kind() == ErrorKind::usage);
    CHECK(e.where() == "try.toml:2");
  }
}

TEST_CASE("a file that is not TOML is refused with line and column", "[recipe]") {
  const Error e = refused("name = \"x\"\ntask = \n");
  CHECK(e.code() == "recipe.syntax");
  CHECK(e.where().find("try.toml:2:") == 0);
  CHECK(refused("a = 1\na = 2\n").code() == "recipe.syntax");
  CHECK(refused(std::string("name = \"\xff\xfe\"\n")).code() == "recipe.syntax");
}

TEST_CASE("the resolved recipe reads back to equal values", "[recipe]") {
  const Recipe a = parse(kHead + "[data]\nroot = \"sc\\\"an\\\\s\\t\"\nnoise = 0.1\nweights = [1e-300, 0.1, 3]\nlabels = [\"a\\u00e9\", \"\"]\n[schedule]\nlearning_rate = 1e-7\n");
  const std::string text = a.resolved();
  const Recipe b = Recipe::parse(text, "resolved.toml", "/elsewhere");
  CHECK(b.name == a.name);
  CHECK(b.task == a.task);
  CHECK(b.model == a.model);
  CHECK(b.seed == a.seed);
  REQUIRE(b.sections.size() == a.sections.size());
  for (const auto& [name, values] : a.sections) {
    INFO(name);
    CHECK(b.section(name).all() == values.all());
  }
  CHECK(text.find("mode = \"fast\"  # default\n") != std::string::npos);
  CHECK(text.find("noise = 0.1\n") != std::string::npos);
}

TEST_CASE("required paths are looked at on demand only", "[recipe]") {
  const Recipe r = parse(kHead + "[data]\nroot = \"not/there\"\n");
  try {
    r.require_paths();
    FAIL("the path was taken");
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::usage);
    CHECK(e.code() == "recipe.missing_file");
    CHECK(e.where() == "try.toml:5");
    CHECK(e.message().find("/somewhere/not/there") != std::string::npos);
  }
  parse(kHead + "[data]\nroot = \"/\"\n").require_paths();
}

TEST_CASE("data sets of the catalogue are found by name", "[recipe][catalogue]") {
  const fs::path home = fs::temp_directory_path() / ("tenon-recipe-test-" + std::to_string(::getpid()));
  fs::create_directories(home / "data" / "medical" / "hippocampus");
  unsetenv("TENON_DATA");
  setenv("XDG_DATA_HOME", (home / "user").c_str(), 1);
  const std::string text = kHead + "[data]\nroot = \"data:hippocampus\"\n";
  const Error absent = refused(text);
  CHECK(absent.kind() == ErrorKind::data);
  CHECK(absent.code() == "data.absent");
  CHECK(absent.where() == "try.toml:5");
  CHECK(absent.hint().find("tenon data fetch hippocampus") != std::string::npos);
  CHECK(absent.hint().find("data:hippocampus-sample") != std::string::npos);
  CHECK(parse(text, {"data.root=/scans"}).section("data").text("root") == "/scans");  // what is replaced need not be here
  CHECK(refused(kHead + "[data]\nroot = \"data:hipocampus\"\n").hint().find("hippocampus") != std::string::npos);

  fs::create_directories(home / "user" / "tenon" / "data" / "hippocampus");
  CHECK(parse(text).section("data").text("root") == fs::canonical(home / "user" / "tenon" / "data" / "hippocampus").string());
  setenv("TENON_DATA", (home / "data").c_str(), 1);
  CHECK(parse(text).section("data").text("root") == fs::canonical(home / "data" / "medical" / "hippocampus").string());
  CHECK(resolve_data_path("data:hippocampus/folds.json").filename() == "folds.json");
  CHECK(fs::exists(resolve_data_path("data:hippocampus-sample/folds.json")));
  unsetenv("TENON_DATA");
  unsetenv("XDG_DATA_HOME");
  fs::remove_all(home);
}
