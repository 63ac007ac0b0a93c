#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "command.hpp"
#include "scores.hpp"
#include "tenon/error.hpp"
#include "tenon/io/utf8.hpp"
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

/// train() throws at a demanded figure that was missed; this keeps the result of the run, which is whole all the same.
struct ResultKeeper : TrainCallback {
  std::optional<TrainResult> result;
  void on_end(const TrainResult& ended) override { result = ended; }
};

/// `missed`: what was demanded and not reached; empty: nothing.
nlohmann::ordered_json result_json(const TrainResult& result, const std::string& report, const std::string& missed = {}) {
  nlohmann::ordered_json out;
  out["status"] = result.status == TrainStatus::interrupted ? "interrupted" : missed.empty() ? "finished" : "missed";
  if (!missed.empty()) out["missed"] = missed;
  out["directory"] = result.directory.string();
  out["steps"] = result.steps;
  out["seconds"] = result.seconds;
  out["stopped_early"] = result.stopped_early;
  if (!report.empty()) out["report"] = report;
  if (!result.evaluation.columns.empty()) out["scores"] = nlohmann::ordered_json::parse(scores_json(result.evaluation));
  return out;
}

void show_result(const TrainResult& result, const std::string& missed, const Common& common) {
  const std::string report = write_report(result.directory).string();
  if (common.json) {
    print(json_text(result_json(result, report, missed)));
    return;
  }
  if (!result.evaluation.columns.empty()) print(scores_table(result.evaluation));
  print("steps:  " + std::to_string(result.steps) + " in " + format_seconds(result.seconds));
  print("run:    " + result.directory.string());
  print("report: " + report);
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
      print(json_text(
          nlohmann::ordered_json{{"name", recipe.name}, {"task", recipe.task}, {"model", recipe.model}, {"resolved", recipe.resolved()}}));
    } else {
      print(recipe.resolved());
    }
    if (!common.quiet) status("dry run: the recipe is good; no data was read (tenon check does that), nothing trained or written");
    return 0;
  }
  apply_threads(common);
  options.device = Device::parse(common.device);
  catch_interrupts();
  RunDisplay display(common.quiet);
  const auto keeper = std::make_shared<ResultKeeper>();
  options.callbacks.push_back(keeper);
  TrainResult result;
  try {
    result = train(recipe, options, display);
  } catch (const Error& e) {
    display.finish();
    // Scores and report are what explains the miss.
    if (e.kind() == ErrorKind::acceptance && keeper->result) show_result(*keeper->result, e.message(), common);
    throw;
  }
  display.finish();
  if (result.status == TrainStatus::interrupted) {
    if (common.json) print(json_text(result_json(result, "")));
    if (!common.quiet) status("stopped after step " + std::to_string(result.steps) + "; everything is saved. Go on with:\n  tenon train --resume " + result.directory.string());
    return kStoppedEarly;
  }
  show_result(result, "", common);
  return 0;
}

}  // namespace tenon::command
