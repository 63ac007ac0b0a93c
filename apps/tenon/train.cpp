#include <filesystem>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "scores.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/run.hpp"
#include "terminal.hpp"

namespace tenon::command {
namespace fs = std::filesystem;
namespace {

Recipe recipe_of(const TrainCommand& command, RunOptions& options) {
  RecipeArguments arguments = split_recipe_arguments(command.arguments);
  if (command.seed) arguments.overrides.push_back("seed=" + *command.seed);
  if (command.resume.empty()) {
    if (arguments.recipe.empty())
      throw Error(ErrorKind::usage, "command.missing_argument", "train: no recipe given", "tenon train RECIPE.toml, or tenon train --resume RUN");
    options.directory = command.run;
    return Recipe::load(arguments.recipe, arguments.overrides);
  }
  if (!arguments.recipe.empty() || !command.run.empty())
    throw Error(ErrorKind::usage, "command.conflict", "train --resume takes the recipe and the folder from the run itself",
                "tenon train --resume " + command.resume);
  options.resume = true;
  options.directory = command.resume;
  require_run(command.resume);
  return Recipe::load(fs::path(command.resume) / "recipe.toml", arguments.overrides);
}

nlohmann::ordered_json result_json(const TrainResult& result, const std::string& report) {
  nlohmann::ordered_json out;
  out["status"] = result.status == TrainStatus::finished ? "finished" : "interrupted";
  out["directory"] = result.directory.string();
  out["steps"] = result.steps;
  out["seconds"] = result.seconds;
  out["stopped_early"] = result.stopped_early;
  if (!report.empty()) out["report"] = report;
  if (!result.evaluation.columns.empty()) out["scores"] = nlohmann::ordered_json::parse(scores_json(result.evaluation));
  return out;
}

// A run that misses a demanded figure is still a whole run: its scores and its report are what explains the miss.
void show_missed_run(const fs::path& run) {
  if (!file_exists(run / "evaluation.json")) return;
  print(scores_table(evaluation_from_json(read_text(run / "evaluation.json"), run)));
  print("report: " + write_report(run).string());
}

}  // namespace

int train_command(const TrainCommand& command, const Common& common) {
  RunOptions options;
  options.explain_plan = command.explain_plan;
  options.profile = command.profile;
  const Recipe recipe = recipe_of(command, options);
  require_trainable(recipe);
  if (command.dry_run) {
    if (common.json) {
      print(nlohmann::ordered_json{{"name", recipe.name}, {"task", recipe.task}, {"model", recipe.model}, {"resolved", recipe.resolved()}}.dump(2));
    } else {
      print(recipe.resolved());
    }
    if (!common.quiet) status("dry run: the recipe is good; nothing was trained or written");
    return 0;
  }
  apply_threads(common);
  options.device = Device::parse(common.device);
  catch_interrupts();
  RunDisplay display(common.quiet);
  TrainResult result;
  try {
    result = train(recipe, options, display);
  } catch (const Error& e) {
    display.finish();
    if (e.kind() == ErrorKind::acceptance && !common.json && fs::is_directory(e.where())) show_missed_run(e.where());
    throw;
  }
  display.finish();
  if (result.status == TrainStatus::interrupted) {
    if (common.json) print(result_json(result, "").dump(2));
    if (!common.quiet) status("stopped after step " + std::to_string(result.steps) + "; everything is saved. Go on with:\n  tenon train --resume " + result.directory.string());
    return kStoppedEarly;
  }
  const std::string report = write_report(result.directory).string();
  if (common.json) {
    print(result_json(result, report).dump(2));
    return 0;
  }
  if (!result.evaluation.columns.empty()) print(scores_table(result.evaluation));
  print("steps:  " + std::to_string(result.steps) + " in " + format_seconds(result.seconds));
  print("run:    " + result.directory.string());
  print("report: " + report);
  return 0;
}

}  // namespace tenon::command
