/// What a plugin that is refused, fails or misbehaves does to the command: it is told, and nothing else suffers.
#include <fcntl.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "run.hpp"

using namespace cli;
using nlohmann::json;

namespace {

const fs::path kBuilt = fs::path(TENON_BINARY_DIR) / "tests";

/// Both test plugins in one folder, with a memory of its own for what became of trials.
struct Plugins : Folder {
  Plugins() {
    fs::create_directories(path / "plugins");
    fs::copy_file(kBuilt / "plugins-toy/toy.tenon.so", path / "plugins/toy.tenon.so");
    fs::copy_file(kBuilt / "plugins-rude/rude.tenon.so", path / "plugins/rude.tenon.so");
  }
  Result run(std::vector<std::string> arguments, const std::string& rude = "", std::vector<std::string> environment = {}) const {
    arguments.insert(arguments.begin(), {"--plugin-dir", (path / "plugins").string()});
    environment.insert(environment.end(), {"RUDE=" + rude, "XDG_CACHE_HOME=" + (path / "cache").string(), "XDG_DATA_HOME=" + (path / "data").string(), "TENON_PLUGIN_PATH="});
    return tenon(arguments, path, environment);
  }
  fs::path rude() const { return path / "plugins/rude.tenon.so"; }
};

bool is_plain(const std::string& text) {
  for (const char* noise : {"\x1b", "\x7f", "\xc2\x9b", "\xe2\x80\xae", "\xff"})
    if (text.find(noise) != std::string::npos) return false;
  return true;
}

}  // namespace

TEST_CASE("the help of a plugin loads that plugin and no other") {
  const Plugins plugins;
  const fs::path mark = plugins.path / "mark";
  const std::vector<std::string> marked{"RUDE_MARK=" + mark.string()};
  const Result help = plugins.run({"toy", "--help"}, "", marked);
  CHECK(help.status == 0);
  CHECK(help.prints("Multiplies numbers"));
  CHECK(plugins.run({"toy"}, "", marked).status == 2);
  CHECK_FALSE(fs::exists(mark));
  CHECK(plugins.run({"rude", "--help"}, "", marked).prints("Does what it is told to"));
  CHECK(fs::exists(mark));
}

TEST_CASE("a plugin that fails is told where it is used, and its tools by its record") {
  const Plugins plugins;
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"rude", "--help"}, {"rude"}}) {
    const Result r = plugins.run(arguments, "abort");
    INFO(r.out << r.err);
    CHECK(r.status == 5);
    CHECK(r.prints("\none\n"));
    CHECK(r.says("error[plugin.crashed]: " + plugins.rude().string() + ": plugin 'rude' failed: "));
  }
  const Result used = plugins.run({"rude", "one"}, "abort");
  CHECK(used.status == 5);
  CHECK(used.says("error[plugin.crashed]: " + plugins.rude().string() + ": "));
}

TEST_CASE("a plugin that is refused is told where it is used, be it by its file's name alone") {
  const Plugins plugins;
  REQUIRE(::chmod(plugins.rude().c_str(), 0666) == 0);  // refused before its record is read
  const auto refused = [&](const std::string& code, const std::string& place) {
    for (const std::vector<std::string>& arguments : {std::vector<std::string>{"rude", "one"}, {"rude", "one", "--help"}, {"rude", "--help"}, {"rude"}}) {
      const Result r = plugins.run(arguments);
      INFO(r.out << r.err);
      CHECK(r.status == 5);
      CHECK(r.says("error[" + code + "]: " + place + ": "));
      CHECK(r.says("help: "));
    }
  };
  refused("plugin.world_writable", plugins.rude().string());
  plugins.write("plugins/rude.tenon.so", "no plugin at all");
  REQUIRE(::chmod(plugins.rude().c_str(), 0644) == 0);
  refused("plugin.not_elf", plugins.rude().string());
  REQUIRE(::chmod((plugins.path / "plugins").c_str(), 0777) == 0);
  refused("plugin.world_writable", (plugins.path / "plugins").string());
  CHECK(plugins.run({"no_such", "one"}).says("error[command.unknown]"));
}

TEST_CASE("the reference tells a plugin that fails, and the others") {
  const Plugins plugins;
  const Result all = plugins.run({"reference"}, "abort");
  INFO(all.err);
  CHECK(all.status == 0);
  CHECK(all.prints("## Task `toy.regression`"));
  CHECK(all.prints("# rude 1.0.0\n\nBad manners, for the tests.\n\nIt cannot be used: plugin.crashed: "));
  CHECK(all.says("note: plugin 'rude' cannot be used: plugin.crashed"));
  const json listed = json::parse(plugins.run({"reference", "--json"}, "abort").out);
  bool seen = false;
  for (const json& p : listed)
    if (p["plugin"] == "rude") {
      seen = true;
      CHECK(p["code"] == "plugin.crashed");
      CHECK_FALSE(p["reason"].get<std::string>().empty());
    } else {
      CHECK_FALSE(p["entries"].empty());
    }
  CHECK(seen);
  CHECK(plugins.run({"reference", "toy"}, "abort").status == 0);
  CHECK(plugins.run({"reference", "rude", "toy"}, "abort").status == 5);
  REQUIRE(::chmod(plugins.rude().c_str(), 0666) == 0);
  CHECK(plugins.run({"reference"}).status == 0);
  const Result named = plugins.run({"reference", "rude", "--json"});
  CHECK(named.status == 5);
  CHECK(json::parse(named.out)[0]["code"] == "plugin.world_writable");
}

TEST_CASE("nothing that a plugin says moves the terminal") {
  const Plugins plugins;
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"rude", "--help"}, {"rude", "one", "--help"}, {"rude", "one", "--how", "noise"}, {"rude", "one", "--how", "message"}, {"reference", "rude"}, {"plugins"}}) {
    const Result r = plugins.run(arguments, "noise");
    INFO(r.out << r.err);
    CHECK(is_plain(r.out + r.err));
  }
  const Result thrown = plugins.run({"rude", "one", "--how", "noise"});
  CHECK(thrown.says("error[rude.\\x1b[31mred\\x7f \\u009b2J \\u202eodd \\xff]: "));
  CHECK(thrown.says("\\x0aerror[x]: y: "));  // a place is one line
}

TEST_CASE("a tool's results are exact for a program, and plain on a terminal") {
  const Plugins plugins;
  const std::vector<std::string> arguments{"--plugin-dir", (plugins.path / "plugins").string(), "rude", "one", "--how", "print"}, environment{"XDG_CACHE_HOME=" + (plugins.path / "cache").string()};
  CHECK(tenon(arguments, plugins.path, environment).prints("\x1b[31mred\x7f"));
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  REQUIRE((terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0));
  const int screen = open(ptsname(terminal), O_RDWR | O_NOCTTY);
  CHECK(Running(arguments, plugins.path, environment, 0, [screen] { return dup2(screen, STDOUT_FILENO) == STDOUT_FILENO; }).wait().status == 0);
  char seen[1024];
  const auto size = read(terminal, seen, sizeof seen);
  close(screen);
  close(terminal);
  REQUIRE(size > 0);
  const std::string shown(seen, std::size_t(size));
  CHECK(is_plain(shown));
  CHECK(shown.starts_with("\\x1b[31mred\\x7f"));
}

TEST_CASE("nothing that a file is called moves the terminal") {
  const Plugins plugins;
  const std::string name = "a\x1b[31m\n\xe2\x80\xae\xff.tenon.so", shown = "a\\x1b[31m\\x0a\\u202e\\xff.tenon.so";
  plugins.write("plugins/" + name, "no plugin");
  const Result listed = plugins.run({"plugins"});
  CHECK(is_plain(listed.out + listed.err));
  CHECK(listed.prints("/" + shown + "\n"));
  const Result locked = plugins.run({"plugin", "lock", "plugins"});
  CHECK(is_plain(locked.out + locked.err));
  CHECK(locked.says("left out: " + shown + ": "));
  const Result info = plugins.run({"plugin", "info", "plugins/" + name});
  CHECK(is_plain(info.out + info.err));
  CHECK(info.prints("/" + shown + "\n"));
}

TEST_CASE("a failure never ends with status 0") {
  const Plugins plugins;
  CHECK(plugins.run({"rude", "one", "--how", "kind 0"}).status == 1);
  CHECK(plugins.run({"rude", "one", "--how", "kind 300"}).status == 1);
  CHECK(plugins.run({"rude", "one", "--status", "255"}).status == 255);
  for (const char* status : {"256", "-1", "512"}) {
    const Result r = plugins.run({"rude", "one", std::string("--status=") + status});
    INFO(r.err);
    CHECK(r.status == 5);
    CHECK(r.says(std::string("error[plugin.bad_status]: 'tenon rude one' returned ") + status));
    CHECK(r.says("more: tenon explain plugin.bad_status"));
  }
}

TEST_CASE("a plugin that leaves the process in the middle of its work is told, and that is no success") {
  const Plugins plugins;
  const Result r = plugins.run({"rude", "one", "--how", "exit"});
  CHECK(r.status == 5);
  CHECK(r.says("error[plugin.left]"));
  CHECK(plugins.run({"explain", "plugin.left"}).status == 0);
}

TEST_CASE("completion offers nothing that a shell would run or take apart") {
  const Plugins plugins;
  const std::string folder = (plugins.path / "plugins").string();
  const Result offered = tenon({"__complete", "--plugin-dir", folder, "rude", "one", "--choice", ""}, plugins.path);
  CHECK(offered.out == "a\n");
  plugins.write("c.sh", tenon({"completion", "bash"}).out + "\nexport TENON_PLUGIN_PATH=" + folder + "\nCOMP_WORDS=(" TENON_COMMAND " rude one --choice ''); COMP_CWORD=4; _tenon; echo \"${COMPREPLY[*]}\"\n");
  CHECK(std::system(("cd '" + plugins.path.string() + "' && bash c.sh > offered").c_str()) == 0);
  CHECK(slurp(plugins.path / "offered").starts_with("a"));
  CHECK_FALSE(fs::exists(plugins.path / "pwned"));
}
