/// `tenon plugin new` and `info`. Building what `new` writes is a test of its own: tests/package/scaffold.cmake.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "run.hpp"

using namespace cli;
using nlohmann::json;

namespace {

const fs::path kToy = fs::path(TENON_BINARY_DIR) / "tests/plugins-toy/toy.tenon.so";

}  // namespace

TEST_CASE("plugin new writes a whole project of each kind, of at most 8 files") {
  const Folder folder;
  for (const char* kind : {"model", "format", "task", "tool", "all"}) {
    INFO(kind);
    const std::string name = std::string("my_") + kind;
    const Result r = tenon({"plugin", "new", name, "--kind", kind, "--json"}, folder.path);
    INFO(r.err);
    REQUIRE(r.status == 0);
    const json said = json::parse(r.out);
    CHECK(said["files"].size() <= 8);
    std::set<std::string> there, told;
    for (const auto& entry : fs::recursive_directory_iterator(folder.path / name))
      if (entry.is_regular_file()) {
        there.insert(fs::relative(entry.path(), folder.path / name).string());
        const std::string text = slurp(entry.path());
        CHECK_FALSE(std::regex_search(text, std::regex("\\{\\{[A-Z]")));  // every word is filled in
        CHECK(text.find("@@") == std::string::npos);
      }
    for (const json& file : said["files"]) told.insert(file.get<std::string>());
    CHECK(there == told);
    for (const char* file : {"CMakeLists.txt", "README.md", "src/plugin.cpp", "test/test.cpp"}) CHECK(there.count(file) == 1);
    CHECK(there.count("recipe.toml") == (kind == std::string("task") || kind == std::string("all")));
    CHECK(slurp(folder.path / name / ".clang-format") == slurp(fs::path(TENON_SOURCE_DIR) / ".clang-format"));
  }
  // All without a word about the kind; in a folder of its own.
  fs::create_directories(folder.path / "in" / "here");
  const Result r = tenon({"plugin", "new", "here", "--in", "in"}, folder.path);  // an empty folder of the name will do
  CHECK(r.status == 0);
  CHECK(r.prints("in/here/src/trace.cpp\n"));
  CHECK(r.prints("next: tenon plugin build in/here"));
  for (const std::string& path : folder.list()) CHECK(path.find(".tmp-") == std::string::npos);
}

TEST_CASE("plugin new refuses a bad name with the rule") {
  const Folder folder;
  for (const std::string& name : {std::string("Sonar"), std::string("1st"), std::string("a-b"), std::string("a b"), std::string("../a"), std::string("a/b"), std::string("_a"),
                                  std::string(""), std::string("caf\xc3\xa9"), std::string(64, 'a'), std::string("a.b")}) {
    const Result r = tenon({"plugin", "new", name}, folder.path);
    INFO(name << ": " << r.err);
    CHECK(r.status == 2);
    CHECK(r.says("error[plugin.name]: a plugin cannot be called '" + name + "'"));
    CHECK(r.says("help: take a lower-case letter, then lower-case letters, digits and underscores, 63 characters at most"));
  }
  for (const char* name : {"train", "plugin", "plugins", "data"}) {
    const Result r = tenon({"plugin", "new", name}, folder.path);
    CHECK(r.status == 2);
    CHECK(r.says("is a command of tenon"));
  }
  CHECK(tenon({"plugin", "new"}, folder.path).says("error[command.missing_argument]"));
  CHECK(tenon({"plugin", "new", "a", "--kind", "moddel"}, folder.path).says("error[command.bad_value]"));
  CHECK(tenon({"plugin", "new", "a", "--knd", "model"}, folder.path).says("'--kind'"));
  CHECK(tenon({"plugin"}, folder.path).status == 2);
  CHECK(folder.list().empty());
}

TEST_CASE("plugin new touches nothing that is there") {
  const Folder folder;
  folder.write("full/notes.txt", "mine");
  folder.write("file", "mine");
  fs::create_directory_symlink("nowhere", folder.path / "link");
  const auto before = folder.list();
  for (const char* name : {"full", "file", "link"}) {
    const Result r = tenon({"plugin", "new", name}, folder.path);
    INFO(name << ": " << r.err);
    CHECK(r.status == 2);
    CHECK(r.says("error[plugin.exists]: "));
    CHECK(r.says("--in DIR"));
  }
  CHECK(tenon({"plugin", "new", "a", "--in", "none"}, folder.path).says("error[plugin.no_folder]"));
  CHECK(folder.list() == before);
  CHECK(slurp(folder.path / "full/notes.txt") == "mine");
}

TEST_CASE("plugin build and install want a project") {
  const Folder folder;
  for (const char* action : {"build", "install"}) {
    const Result r = tenon({"plugin", action}, folder.path);
    INFO(r.err);
    CHECK(r.status == 2);
    CHECK(r.says("error[plugin.no_project]: "));
    CHECK(r.says("tenon plugin new NAME"));
  }
  REQUIRE(tenon({"plugin", "new", "a", "--kind", "tool"}, folder.path).status == 0);
  const Result r = tenon({"plugin", "install", "a"}, folder.path, {"HOME=" + folder.path.string(), "XDG_DATA_HOME="});
  CHECK(r.status == 5);
  CHECK(r.says("error[plugin.not_built]"));
  CHECK(r.says("tenon plugin build"));
  const Result homeless = tenon({"plugin", "install", "a"}, folder.path, {"HOME=", "XDG_DATA_HOME="});
  CHECK(homeless.status == 5);
  CHECK(homeless.says("error[plugin.no_user_folder]"));
  CHECK_FALSE(fs::exists(folder.path / ".local"));
}

TEST_CASE("plugin build says which step failed") {
  const Folder folder;
  folder.write("no_cmake/CMakeLists.txt", "cmake_minimum_required(VERSION 3.25)\nproject(p LANGUAGES NONE)\nfind_package(Tenon REQUIRED)\nmessage(FATAL_ERROR \"this is why\")\n");
  const Result configure = tenon({"plugin", "build", "no_cmake"}, folder.path);
  INFO(configure.err);
  CHECK(configure.status == 5);
  CHECK(configure.says("this is why"));
  CHECK(configure.says("error[plugin.configure_failed]"));
  folder.write("no_plugin/CMakeLists.txt", "cmake_minimum_required(VERSION 3.25)\nproject(p LANGUAGES NONE)\n");
  CHECK(tenon({"plugin", "build", "no_plugin"}, folder.path).says("error[plugin.not_built]"));
  folder.write("no_build/CMakeLists.txt", "cmake_minimum_required(VERSION 3.25)\nproject(p LANGUAGES NONE)\nadd_custom_target(t ALL COMMAND false)\n");
  const Result build = tenon({"plugin", "build", "no_build", "--json"}, folder.path);
  CHECK(build.status == 5);
  CHECK(build.out.empty());
  CHECK(build.says("error[plugin.build_failed]"));
  CHECK(tenon({"plugin", "build", "no_build"}, folder.path, {"PATH=" + folder.path.string()}).says("error[process.not_installed]: cmake is not installed"));
}

TEST_CASE("plugin info tells a good plugin's record, by file and by name") {
  const Result text = tenon({"plugin", "info", kToy.string()});
  INFO(text.err);
  CHECK(text.status == 0);
  CHECK(text.prints("plugin    toy 1.0.0\n"));
  CHECK(text.prints("summary   A straight line, for the tests\n"));
  CHECK(text.prints("licence   Apache-2.0\n"));
  CHECK(text.prints("state     ready\n"));
  CHECK(text.prints("provides  model line, model net, task regression, tool scale\n"));
  CHECK(text.prints("compiler="));
  for (const std::string& which : {kToy.string(), std::string("toy")}) {
    const json j = json::parse(tenon(with_toy({"plugin", "info", which, "--json"})).out);
    CHECK(j["name"] == "toy");
    CHECK(j["file"] == kToy.string());
    CHECK(j["state"] == "ready");
    CHECK(j["api"] == j["core_api"]);
    CHECK(j["abi_tag"] == j["core_abi_tag"]);
    CHECK(j["provides"].size() == 4);
  }
  const Result unknown = tenon(with_toy({"plugin", "info", "toi"}));
  CHECK(unknown.status == 2);
  CHECK(unknown.says("error[plugin.unknown]: no plugin is called 'toi'"));
  CHECK(unknown.says("'toy'"));
}

TEST_CASE("plugin info tells why a file is refused") {
  const Folder folder;
  const std::string good = slurp(kToy);
  folder.write("text.tenon.so", "no plugin at all");
  folder.write("cut.tenon.so", good.substr(0, good.size() / 2));
  folder.write("other.tenon.so", std::string(good).replace(good.find("compiler="), 9, "Compiler="));
  folder.write("toy.so", good);
  folder.write("open.tenon.so", good);
  ::chmod((folder.path / "open.tenon.so").c_str(), 0666);
  const auto refused = [&](const char* file, const std::string& code) {
    const Result r = tenon({"plugin", "info", file, "--json"}, folder.path);
    INFO(file << ": " << r.out << r.err);
    CHECK(r.status == 5);
    const json j = json::parse(r.out, nullptr, false);
    REQUIRE(j.is_object());
    CHECK(j["state"] == "refused");
    CHECK(j["code"] == code);
    CHECK(tenon({"plugin", "info", file}, folder.path).prints("reason    " + code + ": "));
    return j;
  };
  CHECK(refused("./text.tenon.so", "plugin.not_elf")["api"].is_null());
  refused("cut.tenon.so", "plugin.truncated");
  CHECK(refused("other.tenon.so", "plugin.abi_mismatch")["name"] == "toy");
  CHECK(refused("./toy.so", "plugin.file_name")["version"] == "1.0.0");
  CHECK(refused("open.tenon.so", "plugin.world_writable")["licence"] == "Apache-2.0");
  // By the name of its file, as that of its record cannot be read.
  const Result named = tenon({"--plugin-dir", folder.path.string(), "plugin", "info", "text"});
  CHECK(named.status == 5);
  CHECK(named.prints("plugin.not_elf"));
  const Result missing = tenon({"plugin", "info", "./none.tenon.so"}, folder.path);
  CHECK(missing.status == 5);
  CHECK(missing.says("error[plugin.unreadable]: ./none.tenon.so: "));
  CHECK(tenon({"plugin", "info", "./"}, folder.path).says("error[plugin.not_regular_file]"));
}

TEST_CASE("help and completion know the authors' commands") {
  for (const char* action : {"new", "build", "install", "info"}) {
    CHECK(tenon({"plugin", "--help"}).prints(std::string("  ") + action));
    CHECK(tenon({"plugin", action, "--help"}).prints(std::string("Usage: tenon plugin ") + action));
    for (const char* shell : {"bash", "zsh", "fish"}) CHECK(tenon({"completion", shell}).prints(action));
  }
  CHECK(tenon({"completion", "bash"}).prints("--kind"));
}
