/// Checkpoints of a run: last, previous and best, each <name>.safetensors with <name>.json beside it for people.
///
/// The safetensors file is the truth: it holds weights, optimiser state and, as metadata, where the run stood. The JSON
/// holds its SHA-256, which every load compares; a file without one is one whose writing was cut off, and is taken. A new
/// one is complete on disk before an old one is renamed, so at any moment at least one good checkpoint exists. Clock
/// readings are in it only where the run depends on them (a time budget): two runs of the same steps give the same bytes.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "tenon/io/safetensors.hpp"
#include "tenon/loss_scale.hpp"
#include "tenon/nn/module.hpp"
#include "tenon/optim.hpp"
#include "train/early_stop.hpp"

namespace tenon {

struct CheckpointInfo {
  std::int64_t step = 0, validated = 0;  ///< steps done; the last one that was validated
  double progress = 0, elapsed = 0, step_seconds = 0;
  double best_score = -1e300;
  bool finished = false;
  Schedule::Plateau plateau;
  EarlyStop::State stop;
  /// Of the steps since the last line of metrics.jsonl: so that a line is the same whether or not the run stopped before it.
  struct Pending {
    double loss_sum = 0;
    std::int64_t losses = 0, skipped = 0;
  } pending;
  LossScale::State loss_scale;  ///< scale 0: none is in use
  bool timed = false;  ///< the run has a time budget: elapsed and step_seconds are part of its state
};

class Checkpoints {
 public:
  explicit Checkpoints(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Weights, optimiser and average (may be empty) become `last`; the former last becomes `previous`.
  void save_last(const nn::Module& model, const Optimiser& optimiser, const nn::NamedTensors& average, const CheckpointInfo& info);
  void save_best(const nn::NamedTensors& weights, const CheckpointInfo& info);
  /// The newest readable of last, next and previous; nothing when there is none. `remark` tells what was passed over.
  /// Throws checkpoint.unreadable where there are some and none is good.
  std::optional<CheckpointInfo> resume(nn::Module& model, Optimiser& optimiser, nn::NamedTensors& average, std::string& remark) const;
  /// Loads weights only: "best" (falls back on last when there is none), "last" or "previous". Throws checkpoint.unknown
  /// for another name, checkpoint.not_found for one that is not there, checkpoint.digest where the bytes are not those saved.
  CheckpointInfo load_weights(const std::string& name, nn::Module& model) const;

 private:
  std::filesystem::path file(const std::string& name) const { return folder_ / (name + ".safetensors"); }
  TensorFile load(const std::string& name) const;
  void describe(const std::string& name, const CheckpointInfo& info) const;
  /// The former last becomes previous, next becomes last: the second half of a save, repeated by a resumption that finds it undone.
  void promote_next(const CheckpointInfo& info) const;
  std::filesystem::path folder_;
};

}  // namespace tenon
