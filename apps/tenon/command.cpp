#include "command.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstdio>
#include <filesystem>
#include <new>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli.hpp"
#include "plugin_project.hpp"
#include "tenon/error.hpp"
#include "tenon/io/utf8.hpp"
#include "tenon/params.hpp"
#include "tenon/plugin.hpp"
#include "terminal.hpp"

namespace tenon::command {
namespace {

constexpr const char* kFooter =
    "Tools of a plugin: tenon <plugin> <tool> ..., for example 'tenon medical --help'; 'tenon plugins' shows what is there.\n"
    "Exit status: 0 done, 1 internal, 2 usage or recipe, 3 bad data, 4 batch with failures, 5 plugin, 6 device or memory,\n"
    "7 acceptance not met, 75 stopped early with a good checkpoint, 130 interrupted.";

/// A number of that range; CLI11's own lets NaN through.
CLI::Validator within(double least, double most) {
  return CLI::Validator(
      [=](std::string& text) {
        double value = 0;
        if (CLI::detail::lexical_cast(text, value) && value >= least && value <= most) return std::string();
        std::ostringstream refusal;
        refusal << "Value " << text << " not in range " << least << " to " << most;
        return refusal.str();
      },
      "");
}

// All that can be said on the command line, and what was.
struct CommandLine {
  CLI::App app{"Train, evaluate and run models and classical numerics on real domain data.", "tenon"};
  Common common;
  TrainCommand train;
  EvaluateCommand evaluate;
  PredictCommand predict;
  CheckCommand check;
  DataCommand data;
  PluginCheckCommand plugin_check;
  PluginCommand plugin;
  std::function<int()> plugin_action;
  std::vector<std::string> report_runs;
  std::string summary, explain_code, shell;
  std::vector<std::string> reference_plugins;
  double bench_seconds = 0.5;

  CommandLine() {
    app.set_version_flag("--version", std::string("tenon ") + TENON_VERSION);
    app.set_help_flag("-h,--help", "Print this help and exit");
    app.require_subcommand(1);
    // Common options stand on every subcommand; here they may also come first.
    app.add_option("--plugin-dir", common.plugin_dirs, "Folder searched first for plugins (may be given several times)")->type_name("DIR")->allow_extra_args(false);
    declare_runs();
    declare_lists();
    declare_data();
    declare_plugin();
    app.footer(kFooter);  // last, or every subcommand inherits it
  }

  CLI::App& sub(const char* name, const char* help, bool computes) {
    CLI::App& s = *app.add_subcommand(name, help);
    add_common(s, common, computes);
    return s;
  }

  void declare_runs() {
    CLI::App& t = sub("train", "Train a recipe; writes a run directory with scores and report", true);
    t.add_option("arguments", train.arguments, "RECIPE.toml, then overrides such as train.steps=200")->type_name("RECIPE [section.key=value]");
    t.add_option("--run", train.run, "Run directory to make (runs/<name>)")->type_name("DIR");
    t.add_option("--resume", train.resume, "Go on with a run that was stopped")->type_name("RUN");
    t.add_option("--seeds", train.seeds, "Train N runs, seeds counting up from the recipe's, and give means with Student's t interval")
        ->type_name("N")
        ->check(CLI::Range(1, 1000).description(""));
    t.add_option("--seed", train.seed, "The recipe's seed, replaced")->type_name("N");
    add_device(t, common);
    t.add_flag("--dry-run", train.dry_run, "Check the recipe, print it with every value, write nothing");
    t.add_flag("--explain-plan", train.explain_plan, "Show the recorded step, kept as plan.txt in the run: kernels, memory, fusions; on a GPU what was chosen by measurement");
    t.add_flag("--profile", train.profile, "Time some steps op by op: table, and profile.json (a Chrome trace) in the run");

    CLI::App& e = sub("evaluate", "Score a run's checkpoint on a split", true);
    e.add_option("run", evaluate.run, "Run directory")->required()->type_name("RUN");
    e.add_option("overrides", evaluate.overrides, "Overrides of the run's recipe, such as data.root=/scans")->type_name("[section.key=value]");
    e.add_option("--split", evaluate.split, "Split to score (validation)")->type_name("NAME");
    offer(e.add_option("--checkpoint", evaluate.checkpoint, "last, best or previous (last)")->type_name("NAME"), {"last", "best", "previous"}, false);
    e.add_option("--pictures", evaluate.pictures, "How many cases to picture, worst first (6)")->type_name("N")->check(CLI::Range(0, 100000).description(""));
    e.add_flag("--profile", evaluate.profile, "Time each op: table, and profile-evaluate.json in the run");
    add_device(e, common);

    CLI::App& p = sub("predict", "Predict files with a run's checkpoint", true);
    p.add_option("run", predict.run, "Run directory")->required()->type_name("RUN");
    p.add_option("files", predict.files, "Files to predict")->required()->type_name("FILE");
    p.add_option("-o,--output", predict.output, "Folder for the predictions")->required()->type_name("DIR");
    offer(p.add_option("--checkpoint", predict.checkpoint, "last, best or previous (last)")->type_name("NAME"), {"last", "best", "previous"}, false);
    p.add_flag("--overwrite", predict.overwrite, "Replace predictions that are there already");
    p.add_flag("--profile", predict.profile, "Time each op: table, and profile-predict.json in the run");
    add_device(p, common);

    CLI::App& r = sub("report", "Write report.html of each run and print its path; of several runs also one page that links them", false);
    r.add_option("runs", report_runs, "Run directories")->required()->type_name("RUN");
    r.add_option("--summary", summary, "The page that links the reports (summary.html beside the first of several runs)")->type_name("FILE");

    CLI::App& c = sub("check", "Check a recipe, and list everything wrong with its data in one pass", true);
    c.add_option("arguments", check.arguments, "RECIPE.toml, then overrides")->type_name("RECIPE [section.key=value]");
  }

  void declare_lists() {
    sub("plugins", "Every plugin file seen: state, reason, what it provides", false);
    sub("reference", "What plugins provide, with every parameter: Markdown", false)
        .add_option("plugins", reference_plugins, "Plugins; none: all")
        ->type_name("[PLUGIN]");
    sub("devices", "What there is to compute on", true);
    sub("doctor", "Ten seconds of self-test: ops and gradients of each device against the CPU in f64, training against the CPU", true);
    sub("bench", "How fast this machine is: ops and a training step of each field's model, CPU beside GPU", true)
        .add_option("--seconds", bench_seconds, "About how long each row is timed on each device (0.5)")
        ->type_name("S")
        ->check(within(0.01, 60));
    sub("explain", "What an error code means and what to do", false).add_option("code", explain_code, "Error code; none: list all")->type_name("[CODE]");
    CLI::App& c = sub("completion", "Print the completion script of a shell", false);
    offer(c.add_option("shell", shell, "bash, zsh or fish")->required()->type_name("SHELL"), {"bash", "zsh", "fish"}, true);
  }

  void declare_data() {
    CLI::App& d = sub("data", "Data sets: which are known, where they lie, and how to get them", false);
    d.require_subcommand(1);
    const auto inner = [&](const char* name, const char* help, DataCommand::Action action) -> CLI::App& {
      CLI::App& s = *d.add_subcommand(name, help);
      add_common(s, common, false);
      s.parse_complete_callback([this, action] { data.action = action; });
      return s;
    };
    inner("list", "Every data set of the catalogue", DataCommand::Action::list);
    inner("info", "Source, licence, size and place of one", DataCommand::Action::info)
        .add_option("name", data.name, "Data set")->required()->type_name("NAME");
    CLI::App& f = inner("fetch", "Download a data set, check every digest, put it in place", DataCommand::Action::fetch);
    f.add_option("name", data.name, "Data set")->required()->type_name("NAME");
    f.add_option("--to", data.to, "Folder that becomes the data set (the user's data folder)")->type_name("DIR");
    f.add_option("--from", data.from, "Mirror URL, or an archive on this machine")->type_name("URL|FILE");
  }

  void declare_plugin() {
    CLI::App& p = sub("plugin", "For authors of plugins: make, build, install and look at one", false);
    p.require_subcommand(1);
    const auto inner = [&](const char* name, const char* help, int (*action)(const PluginCommand&, const Common&)) -> CLI::App& {
      CLI::App& s = *p.add_subcommand(name, help);
      add_common(s, common, false);
      s.parse_complete_callback([this, action] { plugin_action = [this, action] { return action(plugin, common); }; });
      return s;
    };
    CLI::App& n = inner("new", "Write a small, whole plugin to start from, with its test", plugin_new_command);
    n.add_option("name", plugin.name, "Its name: lower-case letters, digits and underscores")->required()->type_name("NAME");
    offer(n.add_option("--kind", plugin.kind, "What it provides: model, format, task (with the model that it trains), tool or all (all)")->type_name("KIND"),
          {"model", "format", "task", "tool", "all"}, true);
    n.add_option("--in", plugin.folder, "Folder to make it in (.)")->type_name("DIR");
    CLI::App& b = inner("build", "Configure, build and test a plugin against this tenon's package", plugin_build_command);
    b.add_option("folder", plugin.folder, "Folder of the plugin's CMakeLists.txt (.)")->type_name("[DIR]");
    b.add_option("-D,--define", plugin.defines, "A variable for CMake (may be given several times)")->type_name("KEY=VALUE")->allow_extra_args(false);
    inner("install", "Copy a built plugin to where tenon finds it", plugin_install_command)
        .add_option("folder", plugin.folder, "Folder of the plugin's CMakeLists.txt (.)")
        ->type_name("[DIR]");
    inner("info", "What a plugin's file says of itself, and whether it is accepted; loads nothing", plugin_info_command)
        .add_option("plugin", plugin.name, "Its file, or its name")
        ->required()
        ->type_name("FILE|NAME");
    inner("lock", "Write plugins.lock: from then on the plugin files of a folder load as they are now, or not at all", plugin_lock_command)
        .add_option("folder", plugin.folder, "Folder of plugins (yours: ~/.local/share/tenon/plugins)")
        ->type_name("[DIR]");
    CLI::App& c = inner("check", "Run every named check on a plugin, each in a process of its own", [](const PluginCommand&, const Common&) { return 0; });
    c.parse_complete_callback([this] { plugin_action = [this] { return plugin_check_command(plugin_check, common); }; });
    c.add_option("file", plugin_check.file, "The plugin")->required()->type_name("NAME.tenon.so");
    c.add_option("--example", plugin_check.example, "A file of its format, where that has no writer")->type_name("FILE");
    c.add_option("--recipe", plugin_check.recipes, "A recipe of its task that can be trained here (may be given several times)")->type_name("RECIPE.toml")->allow_extra_args(false);
    c.add_option("--seconds", plugin_check.seconds, "The most that a check may take (20)")->type_name("S");
    c.add_option("--only", plugin_check.only, "Only checks of this name or pattern, such as 'model.*' (may be given several times)")->type_name("PATTERN")->allow_extra_args(false);
  }

  int run() {
    const std::string chosen = app.get_subcommands().front()->get_name();
    PluginHost::instance().set_extra_directories({common.plugin_dirs.begin(), common.plugin_dirs.end()});
    if (chosen == "train") return train_command(train, common);
    if (chosen == "evaluate") return evaluate_command(evaluate, common);
    if (chosen == "predict") return predict_command(predict, common);
    if (chosen == "report") return report_command(report_runs, summary, common);
    if (chosen == "check") return check_command(check, common);
    if (chosen == "plugins") return plugins_command(common);
    if (chosen == "plugin") {
      for (const CLI::App* s : app.get_subcommands({})) plugin.reserved.push_back(s->get_name());
      return plugin_action();
    }
    if (chosen == "devices") return devices_command(common);
    if (chosen == "doctor") return doctor_command(common);
    if (chosen == "bench") return bench_command(bench_seconds, common);
    if (chosen == "data") return data_command(data, common);
    if (chosen == "reference") return reference_command(reference_plugins, common);
    if (chosen == "explain") return explain_command(explain_code, common);
    const std::string script = completion_script(app, shell);
    print(common.json ? json_text(nlohmann::ordered_json{{"shell", shell}, {"script", script}}) : script);
    return 0;
  }
};

// The words of `arguments` but for each --plugin-dir, whose folder is kept in `common`; what follows "--" is left alone. Which words are the name of a plugin is
// known only when the folders are.
std::vector<std::string> without_plugin_dirs(const std::vector<std::string>& arguments, Common& common) {
  std::vector<std::string> rest;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--") {
      rest.insert(rest.end(), arguments.begin() + std::ptrdiff_t(i), arguments.end());
      break;
    }
    if (arguments[i] == "--plugin-dir" && i + 1 < arguments.size()) common.plugin_dirs.push_back(arguments[++i]);
    else if (arguments[i].starts_with("--plugin-dir=")) common.plugin_dirs.push_back(arguments[i].substr(13));
    else rest.push_back(arguments[i]);
  }
  return rest;
}

int dispatch(const std::vector<std::string>& arguments) {
  Common before;
  const std::vector<std::string> words = without_plugin_dirs(arguments, before);
  const auto is_word = [](const std::string& text) { return !text.starts_with('-'); };
  const auto first = std::find_if(words.begin(), words.end(), is_word);
  if (first != words.end() && *first == "__complete") {
    PluginHost::instance().set_extra_directories({before.plugin_dirs.begin(), before.plugin_dirs.end()});
    return complete_command({std::find_if(first + 1, words.end(), is_word), words.end()});  // of the line that is typed
  }
  CommandLine line;
  if (arguments.empty()) {
    print(line.app.help());
    return 0;
  }
  if (first != words.end()) {
    std::vector<std::string> known;
    for (const CLI::App* s : line.app.get_subcommands({})) known.push_back(s->get_name());
    const std::string& word = *first;
    if (std::find(known.begin(), known.end(), word) == known.end()) {
      PluginHost& host = PluginHost::instance();
      host.set_extra_directories({before.plugin_dirs.begin(), before.plugin_dirs.end()});
      if (find_plugin(word)) return tool_command(word, {first + 1, words.end()}, before);
      for (const PluginInfo& p : host.scan())
        if (!p.name.empty()) known.push_back(p.name);
      throw Error(ErrorKind::usage, "command.unknown", "no command or plugin '" + word + "'", suggestion(word, known));
    }
  }
  if (const auto done = parse_command_line(line.app, arguments)) return *done;
  return run_stoppable(line.common, [&] { return line.run(); });
}

// The exit status; what went wrong is said.
int status_of(int argc, char** argv) {
  try {
    return dispatch({argv + 1, argv + argc});
  } catch (const Error& e) {
    if (e.code() == "run.interrupted") {  // whatever else went wrong after Ctrl-C is an error like any other
      status(visible("interrupted: " + e.message() + (e.hint().empty() ? "" : "; " + e.hint())));
      return kInterrupted;
    }
    print_error(e);
    return exit_status_of(e);
  } catch (const std::bad_alloc&) {
    print_error(Error(ErrorKind::device, "memory.exhausted", "out of memory", "make the batch, the patch or the model smaller"));
    return int(ErrorKind::device);
  } catch (const std::exception& e) {
    print_error(Error(ErrorKind::internal, "internal.exception", e.what(), "this is a defect: report it with the command and its input"));
    return int(ErrorKind::internal);
  }
}

}  // namespace

int exit_status_of(const Error& error) {
  const int kind = int(error.kind());
  return kind >= int(ErrorKind::internal) && kind <= int(ErrorKind::acceptance) ? kind : int(ErrorKind::internal);
}

RecipeArguments split_recipe_arguments(const std::vector<std::string>& arguments) {
  RecipeArguments out;
  for (const std::string& argument : arguments) {
    std::error_code failed;
    if (argument.find('=') != std::string::npos && !std::filesystem::exists(argument, failed)) {
      out.overrides.push_back(argument);
    } else if (out.recipe.empty()) {
      out.recipe = argument;
    } else {
      throw Error(ErrorKind::usage, "command.unexpected", "unexpected argument '" + argument + "'",
                  "one recipe, then overrides such as train.steps=200");
    }
  }
  return out;
}

int run_stoppable(const Common& common, const std::function<int()>& work) {
  try {
    return work();
  } catch (const Error& e) {
    if (e.code() == "run.interrupted" && common.json)
      print(json_text(nlohmann::ordered_json{{"status", "interrupted"}, {"message", e.message()}}));
    throw;
  }
}

namespace {

pid_t working = 0;  // this process, while it is

// Nothing of the command leaves by exit(): a plugin's code did, or a library's, with whatever status it liked.
void refuse_exit() {
  if (working != ::getpid()) return;  // in a child, whose end is its parent's to judge
  working = 0;
  print_error(Error(ErrorKind::plugin, "plugin.left", "code of a plugin, or of a library that it brings, ended the process before the work was done", "this is a defect of it: report it to its author"));
  std::fflush(nullptr);
  ::_exit(int(ErrorKind::plugin));
}

}  // namespace

int run_command(int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on the size of files is then an error of the write, which cleans up behind itself
  std::signal(SIGCHLD, SIG_DFL);  // children are waited for, whatever the parent did about its own
  std::atexit(refuse_exit);
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:2", 0);  // so that cuDNN's recurrent layers give the same bits each run; read when a device is first used
  working = ::getpid();
  const int exit_status = status_of(argc, argv);
  working = 0;
  try {
    require_printed();
  } catch (const Error& e) {
    print_error(e);
    return exit_status == 0 ? exit_status_of(e) : exit_status;
  }
  return exit_status;
}

}  // namespace tenon::command
