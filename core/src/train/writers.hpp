/// The trainer's own callbacks: what they write is what a library user's could (private).
#pragma once

#include "tenon/callbacks.hpp"
#include "tenon/io/event_file.hpp"
#include "tenon/run.hpp"
#include "train/run_directory.hpp"

namespace tenon {

/// metrics.jsonl: lines of kind "step" and "validation".
class MetricsWriter final : public TrainCallback {
 public:
  /// `validated`: the last step whose validation the run knows.
  MetricsWriter(const RunDirectory& directory, std::int64_t validated) : directory_(directory), validated_(validated) {}
  void on_begin(const BeginEvent& event) override;
  void on_log(const LogEvent& event) override;
  void on_validation(const ValidationEvent& event) override;

 private:
  const RunDirectory& directory_;
  std::int64_t validated_;
};

/// tensorboard/ in the run directory: the same figures as curves.
class TensorBoardWriter final : public TrainCallback {
 public:
  explicit TensorBoardWriter(const RunDirectory& directory) : events_(directory.path() / "tensorboard") {}
  void on_begin(const BeginEvent& event) override;
  void on_log(const LogEvent& event) override;
  void on_validation(const ValidationEvent& event) override;

 private:
  EventFile events_;
};

/// The observer's progress.
class ProgressWriter final : public TrainCallback {
 public:
  explicit ProgressWriter(RunObserver& observer) : observer_(observer) {}
  void on_step(const TrainProgress& event) override { observer_.step(event); }

 private:
  RunObserver& observer_;
};

}  // namespace tenon
