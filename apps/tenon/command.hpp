/// The command `tenon`: what each subcommand takes, and the functions that run them.
///
/// cli.cpp turns argv into one of these structs; each subcommand's file does the work and returns the exit status:
/// 0 done, 1 internal, 2 usage or recipe, 3 bad data, 4 batch with failures, 5 plugin, 6 device or memory,
/// 7 acceptance not met, 75 stopped early with a good checkpoint, 130 interrupted. Errors leave as exceptions.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tenon/error.hpp"

namespace tenon::command {

inline constexpr int kStoppedEarly = 75;
inline constexpr int kInterrupted = 130;

struct Common {
  std::vector<std::string> plugin_dirs;
  std::string device = "auto";
  int threads = 0;  ///< 0: all
  bool quiet = false, json = false;
};

struct TrainCommand {
  std::vector<std::string> arguments;  ///< RECIPE and overrides
  std::string run, resume;
  int seeds = 1;
  std::optional<std::string> seed;  ///< unparsed: read as the recipe's would be
  bool dry_run = false, explain_plan = false, profile = false;
};

struct EvaluateCommand {
  std::string run, split = "validation", checkpoint = "last";
  int pictures = 6;
  bool profile = false;
  std::vector<std::string> overrides;
};

struct PredictCommand {
  std::string run, output, checkpoint = "last";
  std::vector<std::string> files;
  bool overwrite = false, profile = false;
};

struct CheckCommand {
  std::vector<std::string> arguments;  ///< RECIPE and overrides
};

struct DataCommand {
  enum class Action { list, info, fetch } action = Action::list;
  std::string name, to, from;
};

struct PluginCheckCommand {
  std::string file, example;
  std::vector<std::string> recipes, only;
  double seconds = 20;  ///< for each check
};

/// `tenon plugin ACTION`: for authors.
struct PluginCommand {
  std::string name;    ///< new: of the plugin; info: FILE or NAME
  std::string kind = "all";
  std::string folder;  ///< new: where to make it; build, install: of the project; empty: here; lock: of the plugins; empty: the user's
  std::vector<std::string> defines;   ///< build: KEY=VALUE for CMake
  std::vector<std::string> reserved;  ///< new: names that commands have
};

int run_command(int argc, char** argv);

/// 1 to 7. A plugin's error may hold any number for its kind; a failure is never 0.
int exit_status_of(const Error& error);

int train_command(const TrainCommand& command, const Common& common);
int evaluate_command(const EvaluateCommand& command, const Common& common);
int predict_command(const PredictCommand& command, const Common& common);
/// `summary`: the page that links several reports; empty: summary.html beside the first run, where there are several.
int report_command(const std::vector<std::string>& runs, const std::string& summary, const Common& common);
int check_command(const CheckCommand& command, const Common& common);
int plugins_command(const Common& common);
int plugin_check_command(const PluginCheckCommand& command, const Common& common);
int plugin_new_command(const PluginCommand& command, const Common& common);
int plugin_build_command(const PluginCommand& command, const Common& common);
int plugin_install_command(const PluginCommand& command, const Common& common);
int plugin_info_command(const PluginCommand& command, const Common& common);
int plugin_lock_command(const PluginCommand& command, const Common& common);
int devices_command(const Common& common);
int doctor_command(const Common& common);
/// `seconds`: about how long each row is timed on each device.
int bench_command(double seconds, const Common& common);
int data_command(const DataCommand& command, const Common& common);
int explain_command(const std::string& code, const Common& common);
std::vector<std::string> explained_codes();
/// Candidates for the last word of a command line that begins behind `tenon`; one a line.
int complete_command(const std::vector<std::string>& words);
/// What plugins provide, with all declared parameters; none named: all. One that cannot be loaded is told in its place; 5 where it was named.
int reference_command(const std::vector<std::string>& plugins, const Common& common);
/// Does the page of errors, or that of a plugin, have a section on it?
bool is_explained(const std::string& code);
/// `tenon <plugin> <tool> ...`: everything after the plugin's name, unparsed. A plugin that is refused or fails is a plugin error with its own code.
int tool_command(const std::string& plugin, const std::vector<std::string>& arguments, Common common);

/// Splits RECIPE from overrides ("section.key=value"); throws a usage error for a second recipe.
struct RecipeArguments {
  std::string recipe;
  std::vector<std::string> overrides;
};
RecipeArguments split_recipe_arguments(const std::vector<std::string>& arguments);

/// `work()`. One that is stopped before it has a result answers --json all the same: {"status": "interrupted", ...}.
int run_stoppable(const Common& common, const std::function<int()>& work);

/// Applies --threads; shared by all commands that compute.
void apply_threads(const Common& common);

}  // namespace tenon::command
