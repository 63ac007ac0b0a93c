/// Runs: train, evaluate, predict and report over a run directory.
///
/// A run directory is the whole result of a recipe:
///
///     recipe.toml        resolved: every value        state.json       versions, digests, device, precision, totals
///     metrics.jsonl      one JSON object a line       task.json        what the task keeps for prediction
///     checkpoints/       last, best, previous: <name>.safetensors + <name>.json
///     evaluation.json    last evaluation, per case    log.txt          what was said
///     pictures/          of the last evaluation       report.html
///     tensorboard/       where train.tensorboard      profile.json, plan.txt    where asked for
///
/// Everything is written atomically; from the moment recipe.toml is there the directory can be resumed from.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tenon/callbacks.hpp"
#include "tenon/device.hpp"
#include "tenon/error.hpp"
#include "tenon/recipe.hpp"
#include "tenon/task.hpp"

namespace tenon {

/// Declared parameters of the [train] section.
TENON_API const ParamSpec& train_params();

/// What a person at the command sees; for programs there are callbacks (callbacks.hpp).
class TENON_API RunObserver {
 public:
  virtual ~RunObserver();
  virtual void message(const std::string& text);                 ///< a line for the user
  virtual void step(const TrainProgress& progress);
  virtual void stage(const std::string& what, std::int64_t done, std::int64_t total);
  virtual bool interrupted();                                     ///< polled between steps
};

struct RunOptions {
  std::filesystem::path directory;  ///< empty: runs/<name>, made unique with -2, -3...
  Device device = kCpu;
  bool resume = false;
  bool explain_plan = false;
  bool profile = false;  ///< writes profile.json, a Chrome trace of some steps, and tells the costliest ops
  std::vector<std::shared_ptr<TrainCallback>> callbacks;
};

/// Throws what train() would before it reads data: lengths, demands and early stopping that do not fit, values that the task
/// refuses, names of files below the data's folder that are not there. Errors name the line of the recipe.
TENON_API void require_trainable(const Recipe& recipe);

/// What is wrong with a recipe and with its data.
struct Findings {
  std::optional<Error> refusal;   ///< the usage error that require_trainable() throws
  std::vector<Problem> problems;  ///< of the data; none that says the same as `refusal`
};
/// Every defect of the data in one pass. What the recipe misspells hides none that can be found without it; throws only where
/// nothing can be looked at: no data folder, no task from these values.
TENON_API Findings check(const Recipe& recipe, const Monitor& monitor);

/// Throws run.not_a_run where `run` is not a run directory. Loads no plugin.
TENON_API void require_run(const std::filesystem::path& run);

enum class TrainStatus { finished, interrupted };

struct TrainResult {
  TrainStatus status = TrainStatus::finished;
  std::filesystem::path directory;
  std::int64_t steps = 0;
  double seconds = 0;       ///< in training, of every command that worked on the run
  bool stopped_early = false;  ///< by train.patience
  Evaluation evaluation;    ///< final, when finished and the recipe validates
};

/// Trains, validates as the recipe says, writes the run directory. Interrupted: finishes the step, saves, returns.
TENON_API TrainResult train(const Recipe& recipe, const RunOptions& options, RunObserver& observer);

/// Mean, 95 % percentile-bootstrap interval (2000 resamples of cases, Philox, fixed seed) and worst of one column; where the task gave a
/// total (Evaluation::totals), that and its interval in their place.
struct Summary {
  double mean = 0, low = 0, high = 0, worst = 0;
  bool total = false;
  std::int64_t scored = 0, not_scored = 0;
  std::string worst_case;
};
TENON_API std::vector<Summary> summarise(const Evaluation& evaluation);

/// Scores the run's last (or named) checkpoint on a split and writes evaluation.json and pictures/.
struct EvaluateOptions {
  std::string split = "validation", checkpoint = "last";
  int pictures = 6;
  Device device = kCpu;
  std::vector<std::string> overrides;  ///< of the run's recipe, e.g. data.root=...
  bool profile = false;                ///< writes profile-evaluate.json into the run
};
TENON_API Evaluation evaluate(const std::filesystem::path& run, const EvaluateOptions& options, RunObserver& observer);
TENON_API std::string evaluation_to_json(const Evaluation& evaluation);     ///< pictures by file name
TENON_API Evaluation evaluation_from_json(const std::string& json, const std::filesystem::path& run);

/// A trained run opened for use by a tool: its task with the kept state, its model with the weights of `checkpoint` in evaluation mode.
/// Reads no training data. Throws run.not_a_run, and plugin errors where what the run names is not there. Where train.precision is tf32, what is
/// computed with it is f32 all the same, unless within a Tf32Scope.
struct TrainedRun {
  Recipe recipe;
  std::unique_ptr<Task> task;
  nn::ModulePtr model;
};
TENON_API TrainedRun open_run(const std::filesystem::path& run, const std::string& checkpoint = "last", Device device = kCpu);

/// Predicts files with the run's checkpoint; returns the files written.
struct PredictRunOptions {
  std::filesystem::path output;  ///< folder
  std::string checkpoint = "last";
  bool overwrite = false;
  Device device = kCpu;
  bool profile = false;          ///< writes profile-predict.json into the run
};
TENON_API std::vector<std::filesystem::path> predict(const std::filesystem::path& run, const std::vector<std::filesystem::path>& inputs,
                                                     const PredictRunOptions& options, RunObserver& observer);

/// Writes report.html of a run from what the directory holds; returns its path. Reads no training data.
TENON_API std::filesystem::path write_report(const std::filesystem::path& run);
/// Writes one page that shows several runs' scores beside their baselines and links to their reports (relative addresses); returns `file`.
TENON_API std::filesystem::path write_summary(const std::vector<std::filesystem::path>& runs, const std::filesystem::path& file);

}  // namespace tenon
