#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <regex>

#include "plugin_check/command_of.hpp"
#include "tenon/plugin.hpp"

namespace tenon::command {
namespace {

namespace fs = std::filesystem;

/// Every file of a run that must not depend on clocks: the checkpoint's weights.
std::string weights_of(const fs::path& run) {
  std::string all;
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(run / "checkpoints"))
    if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const fs::path& f : files) {
    std::ifstream in(f, std::ios::binary);
    all += f.filename().string() + std::string(std::istreambuf_iterator<char>(in), {});
  }
  expect(!files.empty(), "the run holds no checkpoint");
  return all;
}

/// A task's own recipe, or one of what it declares as defaults: then data may be missing, which is nobody's fault, and steps may be slow.
struct TriedRecipe {
  std::string name;  ///< in names of checks
  std::string file;  ///< empty: of defaults
  std::string task;
};

/// The task that a recipe names. The file is only looked at: reading it as a recipe would load the plugin into this process.
std::string task_of(const std::string& recipe) {
  std::ifstream in(recipe);
  static const std::regex key(R"re(^\s*task\s*=\s*["']([^"']*)["'])re");
  std::smatch found;
  for (std::string line; std::getline(in, line);)
    if (std::regex_search(line, found, key)) return found[1];
  return {};
}

/// Throws CheckSkipped where a parameter has to be given.
std::string default_recipe(const Subject& s, const std::string& name) {
  PluginHost& host = host_with(s);
  const std::string id = s.name() + "." + name;
  const TaskEntry& task = host.task(id);
  const std::string add_one = ": name a recipe with --recipe";
  if (task.default_model.empty()) throw CheckSkipped{"the task has no default model" + add_one};
  const auto look = [&](const std::string& section, const ParamSpec& params) {
    for (const Param& p : params.params())
      if (p.required) throw CheckSkipped{section + "." + p.name + " has to be given" + add_one};
  };
  for (const auto& [section, params] : task.sections) look(section, params);
  const std::string& model = task.default_model;
  look("model", host.model(model.find('.') == std::string::npos ? s.name() + "." + model : model).params);
  return "name = \"check\"\ntask = \"" + id + "\"\n\n[train]\nsteps = 3\n";
}

/// The file to call the command with, in `work` where it is of defaults. Throws CheckSkipped where the task refuses those.
std::string recipe_for(const Subject& s, const TriedRecipe& r, const fs::path& work) {
  if (!r.file.empty()) return r.file;
  const fs::path file = work / "recipe.toml";
  std::ofstream(file) << default_recipe(s, r.task);
  return file.string();
}

/// As expect_status; of a recipe of defaults a usage or data error is no failure: its data are missing.
void expect_done(const TriedRecipe& r, const ProcessResult& p, const std::string& what) {
  if (r.file.empty() && (p.status == 2 || p.status == 3)) {
    const std::string why = p.errors.empty() ? p.output : p.errors;
    throw CheckSkipped{"the task refuses its defaults (name a recipe with --recipe): " + why.substr(0, why.find('\n')).substr(0, 200)};
  }
  expect_status(p, {0}, what);
}

}  // namespace

std::vector<NamedCheck> recipe_checks(const Subject& s) {
  std::vector<TriedRecipe> all;
  for (const std::string& recipe : s.recipes) all.push_back({fs::path(recipe).stem().string(), recipe, task_of(recipe)});
  for (const std::string& task : entries_of(s, "task"))
    if (std::none_of(all.begin(), all.end(), [&](const TriedRecipe& r) { return r.task == s.name() + "." + task; })) all.push_back({task, "", task});
  std::vector<NamedCheck> out;
  for (const TriedRecipe& r : all) {
    using Arguments = std::vector<std::string>;
    const auto add = [&](const std::string& check, std::function<void(const std::string& recipe, const fs::path& work)> run, bool slow = true) {
      const std::string late = slow && r.file.empty() ? "three steps of its defaults are not done in time: name a small recipe with --recipe" : "";
      out.push_back({"recipe." + check + " " + r.name, [&s, r, run = std::move(run)] {
                       const fs::path work = s.folder / ("recipe" + std::to_string(::getpid()));
                       fs::create_directory(work);
                       const std::string recipe = recipe_for(s, r, work);
                       if (r.file.empty()) expect_done(r, tenon(s, {"train", recipe, "--dry-run"}), "--dry-run");
                       run(recipe, work);
                       std::error_code ignored;
                       fs::remove_all(work, ignored);
                     }, {}, {}, late});
    };
    const auto train = [&s, r](const std::string& recipe, const fs::path& run, const Arguments& more) {
      Arguments words{"train", recipe, "--run", run.string(), "--quiet", "train.minutes=0", "train.epochs=0", "train.evaluate=false"};
      words.insert(words.end(), more.begin(), more.end());
      expect_done(r, tenon(s, words), "training");
    };
    add("dry_run", [&s](const std::string& recipe, const fs::path&) { expect_status(tenon(s, {"train", recipe, "--dry-run"}), {0}, "--dry-run"); }, false);
    add("check", [&s, r](const std::string& recipe, const fs::path&) { expect_done(r, tenon(s, {"check", recipe}), "tenon check"); });
    add("unknown_key", [&s](const std::string& recipe, const fs::path&) { expect_status(tenon(s, {"train", recipe, "--dry-run", "data.no_such_key=1"}), {2}, "a key that nobody declared"); }, false);
    add("trains", [&s, train](const std::string& recipe, const fs::path& work) {
      train(recipe, work / "a", {"train.steps=3"});
      expect_status(tenon(s, {"evaluate", (work / "a").string(), "--quiet"}), {0}, "evaluation");
      expect(fs::exists(work / "a" / "report.html"), "no report was written");
    });
    add("threads", [train](const std::string& recipe, const fs::path& work) {
      train(recipe, work / "a", {"train.steps=3", "--threads", "1"});
      train(recipe, work / "b", {"train.steps=3", "--threads", "4"});
      expect(weights_of(work / "a") == weights_of(work / "b"), "one thread and four end in other weights");
    });
    add("repeats", [train](const std::string& recipe, const fs::path& work) {
      train(recipe, work / "a", {"train.steps=3"});
      train(recipe, work / "b", {"train.steps=3"});
      expect(weights_of(work / "a") == weights_of(work / "b"), "the same run again ends in other weights");
    });
  }
  return out;
}

}  // namespace tenon::command
