#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "run.hpp"

using namespace cli;

namespace {

/// Whether anybody opened a file.
class Opened {
 public:
  explicit Opened(const fs::path& file) : watch_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    REQUIRE(watch_ >= 0);
    REQUIRE(inotify_add_watch(watch_, file.c_str(), IN_OPEN) >= 0);
  }
  ~Opened() { close(watch_); }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  bool since_last() const {
    alignas(inotify_event) char events[4096];
    bool any = false;
    while (read(watch_, events, sizeof events) > 0) any = true;
    return any;
  }

 private:
  int watch_;
};

/// From here on this process and what it executes cannot start a thread: the call fails as when there are too many.
bool forbid_threads() {
  constexpr unsigned kDenied = SECCOMP_RET_ERRNO | EAGAIN;
  sock_filter program[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                           BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 2, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 1, 0),
                           BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW), BPF_STMT(BPF_RET | BPF_K, kDenied)};
  const sock_fprog filter{sizeof program / sizeof program[0], program};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

}  // namespace

TEST_CASE("help and version go to standard output with exit 0") {
  const Result help = tenon({"--help"});
  CHECK(help.status == 0);
  CHECK(help.err.empty());
  for (const char* command : {"train", "evaluate", "predict", "report", "check", "plugins", "plugin", "devices", "doctor", "bench", "data", "explain", "completion"}) CHECK(help.prints(command));
  CHECK(tenon({"-h"}).out == help.out);
  CHECK(tenon({}).out == help.out);
  CHECK(tenon({"train", "--help"}).prints("Usage: tenon train [OPTIONS]"));
  CHECK(tenon({"data", "fetch", "--help"}).prints("--from"));
  const Result tool = tenon(with_toy({"toy", "scale", "--help"}));
  CHECK(tool.prints("inputs NUMBER ..."));
  CHECK_FALSE(tool.prints("... ..."));
  CHECK(tenon({"--version"}).out.starts_with("tenon "));
}

// What would make help slow: plugins read, libraries loaded late (plugins, the CUDA backend), threads started.
TEST_CASE("help reads no plugin, loads no library and starts no thread") {
  const Folder folder;
  fs::copy_file(fs::path(TENON_BINARY_DIR) / "tests/plugins-toy/toy.tenon.so", folder.path / "toy.tenon.so");
  const Opened opened(folder.path / "toy.tenon.so");
  const auto with_log = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--plugin-dir", folder.path.string()});
    const std::string log = (folder.path / "loaded").string();
    const Result r = tenon(arguments, folder.path, {"LD_DEBUG=files", "LD_DEBUG_OUTPUT=" + log});
    CHECK(r.status == 0);
    std::string loaded;
    for (const auto& entry : fs::directory_iterator(folder.path))
      if (entry.path().string().starts_with(log)) {
        loaded += slurp(entry.path());
        fs::remove(entry.path());
      }
    CHECK(loaded.find("libtenon.so") != std::string::npos);
    return loaded;
  };
  for (const char* help : {"--help", "--version"}) {
    INFO(help);
    CHECK(with_log({help}).find("dynamically loaded by") == std::string::npos);
    CHECK_FALSE(opened.since_last());
  }
  // That all of it would be seen.
  CHECK(with_log({"plugins"}).find("dynamically loaded by") != std::string::npos);
  CHECK(opened.since_last());
#if !defined(__SANITIZE_THREAD__)                                             // which starts a thread of its own
  const std::vector<std::string> environment{"ASAN_OPTIONS=detect_leaks=0"};  // its last look at the heap is a thread
  const auto without_threads = [&](std::vector<std::string> arguments) {
    return Running(arguments, folder.path, environment, 0, forbid_threads).wait().status;
  };
  CHECK(without_threads({"--help"}) == 0);
  CHECK(without_threads({"--version"}) == 0);
  folder.write("line.toml", "task = \"toy.regression\"\n[data]\nroot = \".\"\n[train]\nsteps = 1\n");
  folder.write("points.txt", "1\n");
  CHECK(without_threads({"--plugin-dir", folder.path.string(), "train", "line.toml"}) != 0);
#endif
}

TEST_CASE("what does not reach standard output is an error") {
  const Folder folder;
  const auto full = [&](const std::string& arguments) {
    const std::string line = "'" TENON_COMMAND "' " + arguments + " > /dev/full 2> '" + (folder.path / "err").string() + "'";
    return WEXITSTATUS(std::system(line.c_str()));
  };
  for (const char* arguments : {"", "--help", "--version", "data list", "data list --json", "data info hippocampus", "devices",
                                "plugins --json", "explain", "explain io.write", "completion bash", "train --help"}) {
    INFO(arguments);
    CHECK(full(arguments) == 6);
    CHECK(slurp(folder.path / "err").find("error[io.no_space]: standard output: cannot write standard output: No space left on device") !=
          std::string::npos);
  }
  CHECK(full("explain no.such.code") == 2);  // nothing was printed, so nothing is missing
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
  CHECK(tenon({"-x"}).says("error[command.unknown_option]: tenon has no option -x"));
  CHECK(tenon({"train", "--dry-rnu"}).says("'--dry-run'"));
  CHECK(tenon({"devices", "a"}).says("error[command.unexpected]"));
  CHECK(tenon({"report", "a", "b"}).says("error[run.not_a_run]"));
  CHECK(tenon({"report"}).says("error[command.missing_argument]"));
  CHECK(tenon({"data"}).status == 2);
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"plugin", "inf", "medical"}, {"data", "inf"}, {"plugin", "inf", "--json"}}) {
    const Result inner = tenon(arguments);
    INFO(inner.err);
    CHECK(inner.status == 2);
    CHECK(inner.says("error[command.unknown]: tenon " + arguments[0] + " has no command 'inf'"));
    CHECK(inner.says("did you mean 'info'?"));
  }
  CHECK(tenon({"plugin", "nosuch"}).says("has no command 'nosuch'"));
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

TEST_CASE("all that is there of a run that was killed as it began is told to be begun anew") {
  const Folder folder;
  fs::create_directories(folder.path / "begun" / "checkpoints");
  CHECK(tenon({"train", "--resume", "begun"}, folder.path).says("start it anew with tenon train RECIPE --run begun"));
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
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Result script = tenon({"completion", shell});
    CHECK(script.prints("evaluate"));
    const json wrapped = json::parse(tenon({"completion", shell, "--json"}).out, nullptr, false);
    REQUIRE(wrapped.is_object());
    CHECK(wrapped["shell"] == shell);
    CHECK(wrapped["script"] == script.out);
  }
}

TEST_CASE("the bash completion script is valid and completes") {
  const Folder folder;
  folder.write("c.sh", tenon({"completion", "bash"}).out + "\nCOMP_WORDS=(tenon ev); COMP_CWORD=1; _tenon; echo \"${COMPREPLY[0]}\"\nCOMP_WORDS=(tenon train --dry); COMP_CWORD=2; _tenon; echo \"${COMPREPLY[0]}\"\n");
  const std::string run = "bash " + (folder.path / "c.sh").string() + " > " + (folder.path / "out").string();
  REQUIRE(std::system(run.c_str()) == 0);
  CHECK(slurp(folder.path / "out") == "evaluate\n--dry-run\n");
}

TEST_CASE("the completion scripts keep to the subcommand, and know the values of its options") {
  const Folder folder;
  folder.write("complete.sh", tenon({"completion", "bash"}).out);
  const auto offers = [&](const std::string& words, int at) {
    folder.write("c.sh", ". ./complete.sh\nCOMP_WORDS=(" + words + "); COMP_CWORD=" + std::to_string(at) + "; _tenon; echo \"${COMPREPLY[*]}\"\n");
    REQUIRE(std::system(("cd " + folder.path.string() + " && PATH=" + fs::path(TENON_COMMAND).parent_path().string() + ":$PATH bash c.sh > out").c_str()) == 0);
    return slurp(folder.path / "out");
  };
  const std::string check = offers("tenon plugin check --", 3);
  CHECK(check.find("--recipe") != std::string::npos);
  CHECK(check.find("--kind") == std::string::npos);
  CHECK(check.find("--define") == std::string::npos);
  CHECK(offers("tenon plugin ch", 2) == "check\n");
  CHECK(offers("tenon plugin new --kind ''", 4) == "model format task tool all\n");
  CHECK(offers("tenon plugin new --kind = ta", 5) == "task\n");
  CHECK(offers("tenon train --device c", 3) == "cpu cuda\n");
  CHECK(offers("tenon evaluate --checkpoint b", 3) == "best\n");
  CHECK(offers("tenon completion z", 2) == "zsh\n");
  const Result fish = tenon({"completion", "fish"});
  CHECK(fish.prints("complete -c tenon -n '__fish_seen_subcommand_from plugin; and __fish_seen_subcommand_from new' -l kind -x -a 'model format task tool all'\n"));
  CHECK(fish.prints("complete -c tenon -n '__fish_seen_subcommand_from plugin; and __fish_seen_subcommand_from check' -l recipe\n"));
  CHECK(fish.prints("-d 'Score a run\\'s checkpoint on a split'\n"));
}

TEST_CASE("completion knows plugins, tools, their options and a recipe's keys") {
  const auto offers = [](std::vector<std::string> words, const fs::path& in = fs::temp_directory_path()) {
    words.insert(words.begin(), "__complete");
    return tenon(with_toy(words), in).out;
  };
  CHECK(offers({"to"}) == "toy\n");
  CHECK(offers({"toy", ""}).find("scale\n") != std::string::npos);
  CHECK(offers({"toy", "scale", "--fa"}) == "--factor\n");
  CHECK(offers({"explain", "plugin.cra"}) == "plugin.crashed\n");
  CHECK(offers({"data", "info", "hippo"}).find("hippocampus\n") != std::string::npos);
  CHECK(offers({"no_such", "x", ""}).empty());
  CHECK(offers({}).find("toy\n") != std::string::npos);
  const Folder folder;
  folder.write("line.toml", "name = \"line\"\ntask = \"toy.regression\"\n[data]\nroot = \"points\"\n[train]\nsteps = 5\nbatch = 4\n");
  CHECK(offers({"train", "line.toml", "train.ste"}, folder.path) == "train.steps=\n");
  CHECK(offers({"train", "line.toml", "data.ro"}, folder.path) == "data.root=\n");
  CHECK(offers({"train", "absent.toml", "data."}, folder.path).empty());
}

TEST_CASE("the reference is made from what plugins declare") {
  const Result text = tenon(with_toy({"reference", "toy"}));
  CHECK(text.status == 0);
  CHECK(text.prints("## Task `toy.regression`"));
  CHECK(text.prints("## `tenon toy scale"));
  CHECK(text.prints("| --factor | real |"));
  const auto all = nlohmann::json::parse(tenon(with_toy({"reference", "toy", "--json"})).out, nullptr, false);
  REQUIRE(all.is_array());
  CHECK(all[0]["plugin"] == "toy");
  CHECK(tenon(with_toy({"reference", "tyo"})).says("did you mean 'toy'"));
}

TEST_CASE("tools of a plugin get their options from the declared parameters") {
  CHECK(tenon(with_toy({"toy", "scale", "3", "4"})).out == "6\n8\n");
  CHECK(tenon(with_toy({"toy", "scale", "3", "4", "--factor", "-1", "--same-line"})).out == "-3 -4 \n");
  CHECK(tenon(with_toy({"toy", "scale", "--extra", "1,2.5"})).out == "1\n2.5\n");
  CHECK(tenon(with_toy({"toy", "--help"})).prints("Multiplies numbers"));
  const Result help = tenon(with_toy({"toy", "scale", "--help"}));
  CHECK(help.status == 0);
  CHECK(help.prints("what to multiply with, -100 to 100 (2)"));
  CHECK(help.prints("NUMBER ..."));
  const Result range = tenon(with_toy({"toy", "scale", "1", "--factor", "1000"}));
  CHECK(range.status == 2);
  CHECK(range.says("--factor"));
  CHECK(tenon(with_toy({"toy", "scale", "1", "--fctor", "3"})).says("'--factor'"));
  CHECK(tenon(with_toy({"toy", "scael"})).says("scale"));
  CHECK(tenon(with_toy({"toy", "scael"})).status == 2);
  CHECK(tenon(with_toy({"toi", "scale"})).says("'toy'"));
}

TEST_CASE("doctor checks every usable device and says how far each op is off", "[cli]") {
  const Result table = tenon({"doctor", "--threads", "2"});
  CHECK(table.status == 0);
  CHECK(table.prints("matrix product"));
  CHECK(table.prints("checks passed"));
  const nlohmann::json d = nlohmann::json::parse(tenon({"doctor", "--json", "--threads", "2"}).out);
  CHECK(d["failed"] == 0);
  CHECK(d["passed"] == d["checks"].size());
  std::size_t exact = 0;
  for (const auto& check : d["checks"]) {
    CHECK(check["same_bytes"] == true);
    CHECK(check["error"].get<double>() <= check["limit"].get<double>());
    exact += check["error"] == 0;
  }
  CHECK(exact < d["checks"].size() / 2);  // f32 was compared with something else than itself
}

TEST_CASE("bench wants a time that can be kept", "[cli]") {
  for (const char* wrong : {"0", "-1", "61", "nan", "inf"}) CHECK(tenon({"bench", "--seconds", wrong}).says("not in range 0.01 to 60"));
  CHECK(tenon({"bench", "--seconds", "soon"}).says("error[command.bad_value]"));
}
