/// `tenon plugin install` and `lock`: what stands in the way, and what is left alone. Building comes before; here its outcome is put in place.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "run.hpp"
#include "tenon/io/sha256.hpp"

using namespace cli;
using nlohmann::json;

namespace {

const fs::path kToy = fs::path(TENON_BINARY_DIR) / "tests/plugins-toy/toy.tenon.so";

/// A project whose build made the toy, as CMake's file API tells, and a user's folder for plugins.
struct Project : Folder {
  fs::path plugins = path / "data/tenon/plugins", installed = plugins / "toy.tenon.so", lock = plugins / "plugins.lock";
  Project() {
    write("toy/CMakeLists.txt", "");
    const fs::path reply = "toy/build/.cmake/api/v1/reply";
    write(reply / "index-1.json", R"({"objects": [{"kind": "codemodel", "jsonFile": "model.json"}]})");
    write(reply / "model.json", R"({"configurations": [{"targets": [{"jsonFile": "toy.json"}]}]})");
    write(reply / "toy.json", R"({"artifacts": [{"path": "toy.tenon.so"}]})");
    fs::copy_file(kToy, path / "toy/build/toy.tenon.so");
  }
  Result run(const std::vector<std::string>& arguments, std::vector<std::string> environment = {}) const {
    environment.insert(environment.end(), {"XDG_DATA_HOME=" + (path / "data").string(), "XDG_CACHE_HOME=" + (path / "cache").string(), "TENON_PLUGIN_PATH="});
    return cli::tenon(arguments, path, environment);
  }
  Result install() const { return run({"plugin", "install", "toy"}); }
  /// What `tenon plugins` says of a file or folder.
  json listed(const fs::path& file, const std::vector<std::string>& environment = {}) const {
    const json all = json::parse(run({"plugins", "--json"}, environment).out);
    for (const json& p : all["plugins"])
      if (p["file"] == file.string()) return p;
    return json();
  }
};

const std::string kOther(64, 'b');

}  // namespace

TEST_CASE("plugin install keeps what stands in plugins.lock, whatever ends its lines") {
  const Project project;
  const std::string digest = ::tenon::sha256_of_file(kToy);
  for (const char* end : {"\n", "\r\n"}) {
    project.write("data/tenon/plugins/plugins.lock", std::string("# ours") + end + std::string(64, 'a') + "  toy.tenon.so" + end + end + kOther + " *other.tenon.so" + end + "# last");
    const Result r = project.install();
    INFO(r.err);
    REQUIRE(r.status == 0);
    CHECK(r.prints("its digest is in plugins.lock"));
    CHECK(slurp(project.lock) == "# ours\n" + digest + "  toy.tenon.so\n\n" + kOther + " *other.tenon.so\n# last\n");
    CHECK(project.listed(project.installed)["state"] == "active");
  }
}

TEST_CASE("plugin install writes nothing where the host would look at nothing") {
  const Project project;
  const auto refused = [&](const std::string& code, const std::string& place) {
    const auto before = project.list();
    const Result r = project.install();
    INFO(r.out << r.err);
    CHECK(r.status == 5);
    CHECK(r.out.empty());
    CHECK(r.says("error[" + code + "]: " + place + ": "));
    CHECK(project.list() == before);
  };
  fs::create_directories(project.path / "data");
  REQUIRE(::chmod((project.path / "data").c_str(), 0777) == 0);
  refused("plugin.world_writable", project.plugins.string());  // what was made for it is gone again
  REQUIRE(::chmod((project.path / "data").c_str(), 0755) == 0);
  fs::create_directories(project.plugins);
  REQUIRE(::chmod(project.plugins.c_str(), 0777) == 0);
  refused("plugin.world_writable", project.plugins.string());
  REQUIRE(::chmod(project.plugins.c_str(), 0755) == 0);
  project.write("data/tenon/plugins/plugins.lock", "hello\n");
  refused("plugin.bad_lock", project.plugins.string());
  fs::remove(project.lock);
  fs::create_directories(project.installed);
  refused("plugin.not_regular_file", project.installed.string());
  fs::remove(project.installed);
  CHECK(project.install().status == 0);
}

TEST_CASE("plugin install puts the file in place of a link, and leaves what it leads to") {
  const Project project;
  fs::create_directories(project.plugins);
  project.write("elsewhere.so", "mine");
  for (const fs::path& target : {project.path / "elsewhere.so", project.path / "nowhere.so"}) {
    fs::remove(project.installed);
    fs::create_symlink(target, project.installed);
    const Result r = project.install();
    INFO(r.err);
    CHECK(r.status == 0);
    CHECK(r.prints("replaced a link to " + target.string() + ", which is left as it is\n"));
    CHECK_FALSE(fs::is_symlink(project.installed));
    CHECK(slurp(project.installed) == slurp(kToy));
  }
  CHECK(slurp(project.path / "elsewhere.so") == "mine");
  CHECK_FALSE(fs::exists(project.path / "nowhere.so"));
  for (const auto& entry : fs::directory_iterator(project.plugins)) CHECK(entry.path() == project.installed);
}

TEST_CASE("nothing is written through a link in place of plugins.lock") {
  const Project project;
  REQUIRE(project.install().status == 0);
  project.write("central.lock", "# all of ours\n" + ::tenon::sha256_of_file(kToy) + "  toy.tenon.so\n");
  const std::string before = slurp(project.path / "central.lock");
  fs::create_symlink(project.path / "central.lock", project.lock);
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"plugin", "install", "toy"}, {"plugin", "lock"}}) {
    const Result r = project.run(arguments);
    INFO(r.err);
    CHECK(r.status == 5);
    CHECK(r.says("error[plugin.bad_lock]: " + project.lock.string() + ": the lock is a link to " + (project.path / "central.lock").string()));
    CHECK(slurp(project.path / "central.lock") == before);
  }
  fs::remove(project.lock);
  fs::create_symlink("nowhere", project.lock);
  CHECK(project.run({"plugin", "lock"}).status == 5);
  CHECK_FALSE(fs::exists(project.plugins / "nowhere"));
}

TEST_CASE("a file whose name would be two lines of a lock is left out of it") {
  const Project project;
  const std::string name = "a.tenon.so\n" + kOther + "  b.tenon.so";
  fs::create_directories(project.plugins);
  fs::copy_file(kToy, project.plugins / name);
  const Result r = project.run({"plugin", "lock"});
  INFO(r.err);
  CHECK(r.status == 0);
  CHECK(r.says("left out: a.tenon.so\\x0a"));
  CHECK(slurp(project.lock).find("b.tenon.so") == std::string::npos);
}

TEST_CASE("a lock that cannot be used is named") {
  const Project project;
  REQUIRE(project.install().status == 0);
  const std::string none = (project.path / "none.lock").string();
  const auto reason = [&](const std::vector<std::string>& environment) { return project.listed(project.plugins, environment).value("reason", ""); };
  CHECK(reason({"TENON_PLUGIN_LOCK=" + none}).starts_with(none + " (TENON_PLUGIN_LOCK): the file cannot be opened: "));
  CHECK(reason({"TENON_PLUGIN_LOCK=/no/such/folder/x.lock"}).starts_with("/no/such/folder/x.lock (TENON_PLUGIN_LOCK): "));
  project.write("data/tenon/plugins/plugins.lock", "");
  REQUIRE(::chmod(project.lock.c_str(), 0666) == 0);
  CHECK(reason({}).starts_with("plugins.lock: the file may be written by everybody"));
  fs::remove(project.lock);
  fs::create_symlink("nowhere", project.lock);
  CHECK(reason({}).starts_with("plugins.lock: the file cannot be opened: "));
}

TEST_CASE("a project in a folder that CMake cannot handle is refused before anything is made") {
  for (const char* name : {"a;b", "a\"b", "a\\b", "a|b", "a\nb"}) {
    const Folder folder;
    folder.write(fs::path(name) / "toy/CMakeLists.txt", "");
    const auto before = folder.list();
    for (const std::vector<std::string>& arguments : {std::vector<std::string>{"plugin", "new", "mine", "--in", name}, {"plugin", "build", std::string(name) + "/toy"}}) {
      const Result r = cli::tenon(arguments, folder.path);
      INFO(r.err);
      CHECK(r.status == 2);
      CHECK(r.says("error[plugin.folder_name]: "));
      CHECK(r.says("help: take or rename to a path without"));
    }
    CHECK(folder.list() == before);
  }
}
