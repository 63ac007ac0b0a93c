#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "command.hpp"
#include "scores.hpp"
#include "tenon/error.hpp"
#include "tenon/io/utf8.hpp"
#include "tenon/metrics.hpp"
#include "tenon/run.hpp"
#include "terminal.hpp"

namespace tenon::command {
namespace fs = std::filesystem;
namespace {

Recipe recipe_of(const TrainCommand& command, RunOptions& options) {
  RecipeArguments arguments = split_recipe_arguments(command.arguments);
  if (command.seeds > 1 && !command.resume.empty())
    throw Error(ErrorKind::usage, "command.conflict", "train --resume goes on with one run; --seeds begins several", "leave --seeds out");
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
  if (!result.evaluation.columns.empty()) print(visible(scores_table(result.evaluation)));
  print("steps:  " + std::to_string(result.steps) + " in " + format_seconds(result.seconds));
  print("run:    " + visible_line(result.directory.string()));
  print("report: " + visible_line(report));
}

/// One run to its end. `miss`: what the recipe demands and the run did not reach.
struct Outcome {
  TrainResult result;
  std::optional<Error> miss;
  std::string missed() const { return miss ? miss->message() : ""; }
};

Outcome run_once(const Recipe& recipe, RunOptions options, const Common& common) {
  RunDisplay display(common.quiet);
  const auto keeper = std::make_shared<ResultKeeper>();
  options.callbacks.push_back(keeper);
  try {
    TrainResult result = train(recipe, options, display);
    display.finish();
    return {std::move(result), {}};
  } catch (const Error& e) {
    display.finish();
    // Scores and report are what explains the miss.
    if (e.kind() != ErrorKind::acceptance || !keeper->result) throw;
    return {std::move(*keeper->result), e};
  }
}

int stopped(const TrainResult& result, const Common& common) {
  if (!common.quiet)
    status("stopped after step " + std::to_string(result.steps) + "; everything is saved. Go on with:\n  tenon train --resume " + visible_line(result.directory.string()));
  return kStoppedEarly;
}

/// Folders of runs that differ by their seed: the first base name of which none is there yet.
std::vector<fs::path> seed_directories(const TrainCommand& command, const Recipe& recipe) {
  // nothing is trained before every run has its seed and its folder
  if (recipe.seed > std::uint64_t(std::numeric_limits<std::int64_t>::max()) - std::uint64_t(command.seeds))
    throw Error(ErrorKind::usage, "command.bad_value", "--seeds: the seeds from " + std::to_string(recipe.seed) + " on are beyond 2^63 - 1", "begin with a smaller seed");
  const fs::path base = command.run.empty() ? fs::path("runs") / recipe.name : fs::path(command.run);
  for (int attempt = 1;; ++attempt) {
    std::vector<fs::path> out;
    bool free = true;
    for (int i = 0; i < command.seeds; ++i) {
      fs::path folder = base;
      if (attempt > 1) folder += "-" + std::to_string(attempt);
      folder += "-seed" + std::to_string(recipe.seed + std::uint64_t(i));
      if (!command.run.empty() && fs::exists(folder) && !(fs::is_directory(folder) && fs::is_empty(folder)))
        throw Error(ErrorKind::usage, "run.exists", fs::is_directory(folder) ? "the folder is not empty; nothing was trained" : "this is not a folder; nothing was trained",
                    "choose another name with --run", folder.string());
      free = free && !fs::exists(folder);
      out.push_back(folder);
    }
    if (free || !command.run.empty()) return out;
  }
}

/// Means over seeds; a run's own interval is over its cases, this one over the runs.
void show_seeds(const std::vector<Outcome>& outcomes, const Common& common) {
  const std::vector<MetricColumn>& columns = outcomes.front().result.evaluation.columns;
  Table table({"over " + std::to_string(outcomes.size()) + " seeds", "mean", "95 % t interval", "lowest", "highest"});
  nlohmann::ordered_json json{{"runs", nlohmann::ordered_json::array()}, {"metrics", nlohmann::ordered_json::array()}};
  for (const Outcome& o : outcomes) json["runs"].push_back(result_json(o.result, (o.result.directory / "report.html").string(), o.missed()));
  for (std::size_t c = 0; c < columns.size(); ++c) {
    std::vector<double> values;
    for (const Outcome& o : outcomes) {
      const double value = summarise(o.result.evaluation).at(c).mean;
      if (std::isfinite(value)) values.push_back(value);
    }
    const std::string name = columns[c].name + (columns[c].unit.empty() ? "" : " (" + columns[c].unit + ")");
    if (values.size() != outcomes.size()) {
      table.row({name, "not scored in every run", "", "", ""});
      continue;
    }
    const Interval mean = mean_interval(values);
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    table.row({name, format_number(mean.value), format_interval(mean.low, mean.high), format_number(*low), format_number(*high)});
    json["metrics"].push_back({{"name", columns[c].name}, {"unit", columns[c].unit}, {"mean", mean.value}, {"low", mean.low}, {"high", mean.high}, {"values", values}});
  }
  if (common.json || !columns.empty()) print(common.json ? json_text(json) : table.str());
}

int train_seeds(const TrainCommand& command, const Recipe& first, RunOptions options, const Common& common) {
  const std::vector<fs::path> folders = seed_directories(command, first);
  std::vector<Outcome> outcomes;
  std::optional<Error> miss;
  for (int i = 0; i < command.seeds; ++i) {
    const std::uint64_t seed = first.seed + std::uint64_t(i);
    TrainCommand one = command;
    one.seed = std::to_string(seed);
    options.directory = folders[std::size_t(i)];
    RunOptions unused;
    if (!common.quiet) status("seed " + one.seed.value() + ", run " + std::to_string(i + 1) + " of " + std::to_string(command.seeds) + ": " + visible_line(options.directory.string()));
    Outcome outcome = run_once(recipe_of(one, unused), options, common);
    if (outcome.result.status == TrainStatus::interrupted) {
      if (common.json) print(json_text(result_json(outcome.result, "")));
      return stopped(outcome.result, common);
    }
    write_report(outcome.result.directory);
    if (!common.json && !outcome.result.evaluation.columns.empty()) print(visible(scores_table(outcome.result.evaluation)));
    if (outcome.miss && !miss) miss = Error(outcome.miss->kind(), outcome.miss->code(), "seed " + *one.seed + ": " + outcome.missed(), outcome.miss->hint(), outcome.miss->where());
    outcomes.push_back(std::move(outcome));
  }
  show_seeds(outcomes, common);
  if (!common.json)
    for (const fs::path& folder : folders) print("report: " + visible_line((folder / "report.html").string()));
  if (miss) throw *miss;
  return 0;
}

}  // namespace

int train_command(const TrainCommand& command, const Common& common) {
  RunOptions options;
  options.explain_plan = command.explain_plan;
  options.profile = command.profile;
  const Recipe recipe = recipe_of(command, options);
  require_trainable(recipe);
  if (command.dry_run) {
    if (common.device != "auto") (void)Device::parse(common.device);  // the name alone: the device may be another machine's
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
  if (command.seeds > 1) return train_seeds(command, recipe, options, common);
  const Outcome outcome = run_once(recipe, options, common);
  if (outcome.result.status == TrainStatus::interrupted) {
    if (common.json) print(json_text(result_json(outcome.result, "")));
    return stopped(outcome.result, common);
  }
  show_result(outcome.result, outcome.missed(), common);
  if (outcome.miss) throw *outcome.miss;
  return 0;
}

}  // namespace tenon::command
