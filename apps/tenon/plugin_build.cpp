// `tenon plugin build [DIR]`: configure, build and test a plugin against the package that this tenon belongs to.
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <thread>

#include "command.hpp"
#include "plugin_project.hpp"
#include "process.hpp"
#include "tenon/error.hpp"
#include "tenon/io/utf8.hpp"
#include "terminal.hpp"

namespace tenon::command {
namespace {

namespace fs = std::filesystem;

// A step's output goes to standard error as it comes; with -q only that of one that failed. Throws `code` where it fails.
void run_step(const std::vector<std::string>& arguments, bool quiet, const char* code, const std::string& what, const std::string& hint, const fs::path& where) {
  int result = 0;
  if (quiet) {
    const ProcessResult done = run_process(arguments);
    result = done.status;
    if (result != 0 && result != 127) status(done.output + done.errors);
  } else {
    result = show_process(arguments);
  }
  if (result == 127)
    throw Error(ErrorKind::plugin, "process.not_installed", arguments[0] + " is not installed", "install cmake (3.25 or later), ninja or make, and a C++20 compiler");
  if (result != 0) throw Error(ErrorKind::plugin, code, what + " (" + arguments[0] + " ended with status " + std::to_string(result) + ")", hint, where.string());
}

std::vector<std::string> configure_arguments(const fs::path& project, const std::vector<std::string>& defines) {
  const fs::path build = build_folder(project);
  std::vector<std::string> arguments{"cmake", "-S", project.string(), "-B", build.string(), "-DTenon_DIR=" + package_folder().string()};
  std::error_code failed;
  if (!fs::exists(build / "CMakeCache.txt", failed)) {
    arguments.push_back("-DCMAKE_BUILD_TYPE=Release");
    if (!std::getenv("CMAKE_GENERATOR") && run_process({"ninja", "--version"}).status == 0) arguments.insert(arguments.end(), {"-G", "Ninja"});
  }
  for (const std::string& define : defines) arguments.push_back("-D" + define);
  return arguments;
}

}  // namespace

int plugin_build_command(const PluginCommand& command, const Common& common) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const fs::path project = project_folder(command.folder), build = build_folder(project);
  require_buildable(project);
  require_buildable(package_folder());
  const std::vector<std::string> configure = configure_arguments(project, command.defines);
  // What the host would refuse is not made: files that a group may write, under a umask of 002.
  ::umask(::umask(0) | 022);
  std::error_code failed;
  fs::create_directories(build, failed);
  fs::permissions(build, fs::perms::group_write | fs::perms::others_write, fs::perm_options::remove, failed);
  ask_for_artifacts(build);
  run_step(configure, true, "plugin.configure_failed", "the project cannot be configured", "mend what CMake says above; if it speaks of another folder, delete " + build.string(), project);
  const std::string jobs = std::to_string(std::max(1u, std::thread::hardware_concurrency()));  // make without a number starts everything at once
  run_step({"cmake", "--build", build.string(), "--parallel", jobs}, common.quiet, "plugin.build_failed", "the plugin does not build", "mend the first error above", project);
  const std::vector<fs::path> plugins = built_plugins(project);
  for (const fs::path& file : plugins) require_accepted(file, common);  // before its test says the same in more words
  run_step({"ctest", "--test-dir", build.string(), "--output-on-failure"}, common.quiet, "plugin.tests_failed", "a test fails", "see above which; the plugin itself is built", project);
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  if (common.json) {
    nlohmann::ordered_json out{{"folder", project.string()}, {"plugins", nlohmann::ordered_json::array()}, {"seconds", seconds}};
    for (const fs::path& file : plugins) out["plugins"].push_back(file.string());
    print(json_text(out));
    return 0;
  }
  for (const fs::path& file : plugins) print_path(file.string());
  if (!common.quiet) status("built and tested in " + format_number(seconds, 2) + " s; 'tenon plugin install' makes it known to tenon");
  return 0;
}

}  // namespace tenon::command
