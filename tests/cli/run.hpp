/// Runs the built command and a folder to run it in.
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

namespace cli {
namespace fs = std::filesystem;

/// An empty folder that is gone at the end of the test.
struct Folder {
  fs::path path;
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "tenon-cli-XXXXXX").string();
    path = mkdtemp(pattern.data());
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  Folder(const Folder&) = delete;
  void write(const fs::path& name, const std::string& text) const {
    fs::create_directories((path / name).parent_path());
    std::ofstream(path / name, std::ios::binary) << text;
  }
  /// Everything below, hidden files too.
  std::vector<std::string> list() const {
    std::vector<std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(path)) out.push_back(fs::relative(entry.path(), path).string());
    return out;
  }
};

inline std::string slurp(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Result {
  int status = -1;
  std::string out, err;
  bool says(const std::string& text) const { return err.find(text) != std::string::npos; }
  bool prints(const std::string& text) const { return out.find(text) != std::string::npos; }
};

/// A running command; wait() collects it.
class Running {
 public:
  /// `user`: whom the command runs as; 0: whoever runs the test. `before`: called in the child, last before the command.
  Running(const std::vector<std::string>& arguments, const fs::path& in, const std::vector<std::string>& environment = {}, uid_t user = 0,
          const std::function<bool()>& before = {}) {
    const fs::path out = log_.path / "out", err = log_.path / "err";
    child_ = fork();
    if (child_ == 0) {
      std::vector<char*> argv{const_cast<char*>(TENON_COMMAND)};
      for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
      argv.push_back(nullptr);
      for (const std::string& e : environment) putenv(const_cast<char*>(e.c_str()));
      if (chdir(in.c_str()) != 0 || !freopen(out.c_str(), "w", stdout) || !freopen(err.c_str(), "w", stderr)) _exit(126);
      if (user != 0 && (setgid(user) != 0 || setuid(user) != 0)) _exit(125);
      if (before && !before()) _exit(124);
      execv(TENON_COMMAND, argv.data());
      _exit(127);
    }
  }
  void interrupt(int signal = SIGINT) const { ::kill(child_, signal); }
  std::string errors() const { return slurp(log_.path / "err"); }
  Result wait() {
    int status = 0;
    waitpid(child_, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), slurp(log_.path / "out"), errors()};
  }

 private:
  Folder log_;
  pid_t child_ = 0;
};

inline Result tenon(const std::vector<std::string>& arguments, const fs::path& in = fs::temp_directory_path(), const std::vector<std::string>& environment = {}) {
  return Running(arguments, in, environment).wait();
}

/// The same with the test plugin.
inline std::vector<std::string> with_toy(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"--plugin-dir", std::string(TENON_BINARY_DIR) + "/tests/plugins-toy"});
  return arguments;
}

}  // namespace cli
