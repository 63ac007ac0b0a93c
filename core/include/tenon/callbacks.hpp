/// What happens in a training, for those who want to see it: progress bars, loggers, trackers of experiments.
///
///     struct Print : TrainCallback {
///       void on_validation(const ValidationEvent& e) override { std::printf("%ld: %g\n", e.step, e.score); }
///     };
///     options.callbacks.push_back(std::make_shared<Print>());   // RunOptions of run.hpp
///
/// metrics.jsonl, TensorBoard's files and the command's progress bar are written by callbacks of this kind. All are called on the
/// thread that called train(), in the order in which they were given, after those of the trainer itself. Events refer to things that
/// live as long as the call. A callback changes nothing in the training; one that throws ends it, and the run can be resumed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "tenon/export.hpp"

namespace tenon {

struct Evaluation;
struct Summary;
struct TrainResult;

/// Before the first step of this session.
struct BeginEvent {
  const std::filesystem::path& directory;
  std::int64_t step, total_steps;  ///< steps done before (a resumed run); total may move while a time budget is being paced
};

/// After each optimiser step.
struct TrainProgress {
  std::int64_t step = 0, total_steps = 0;
  double loss = 0, learning_rate = 0, steps_per_second = 0, seconds_left = 0, waiting_share = 0;
  bool skipped = false;  ///< f16: the gradients were not finite and nothing was changed
};

/// Every train.log_every steps, and after the last.
struct LogEvent {
  std::int64_t step = 0;
  double loss = 0;           ///< mean since the last log event; NaN where all of these steps were left out
  double learning_rate = 0, gradient_norm = 0, seconds = 0;  ///< of this step; seconds of the whole run
  std::vector<std::pair<std::string, double>> losses;  ///< the task's further losses, of this step
  double loss_scale = 0;     ///< 0: none is in use
  std::int64_t skipped = 0;  ///< steps that were left out since the last log event
};

struct ValidationEvent {
  std::int64_t step;
  const Evaluation& evaluation;
  const std::vector<Summary>& columns;  ///< one a column of the evaluation
  double score, seconds;
  bool best, last;                      ///< the best so far; that of the end of the run
};

struct CheckpointEvent {
  std::int64_t step;
  std::string name;  ///< "last" or "best"
  std::filesystem::path file;
};

class TENON_API TrainCallback {
 public:
  virtual ~TrainCallback();
  virtual void on_begin(const BeginEvent& event);
  virtual void on_step(const TrainProgress& event);
  virtual void on_log(const LogEvent& event);
  virtual void on_validation(const ValidationEvent& event);
  virtual void on_checkpoint(const CheckpointEvent& event);
  virtual void on_end(const TrainResult& result);  ///< finished or interrupted, not failed
};

}  // namespace tenon
