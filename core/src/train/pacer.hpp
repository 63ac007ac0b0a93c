/// How far a run has come, in [0, 1], for a number of steps or for a time budget.
///
/// With steps, progress is step / steps: a function of the step alone, so a resumed run repeats it exactly. With
/// minutes, each step moves progress by (1 - progress) / (steps that still fit), judged when it begins by the time of
/// recent steps; the value is saved, so a resumed run goes on from where it was, but its later values depend on the clock.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tenon {

class Pacer {
 public:
  Pacer(std::int64_t steps, double seconds) : steps_(steps), budget_(seconds) {}

  /// Call before a step. `elapsed`: seconds of the run so far, earlier sessions included.
  double before_step(std::int64_t step, double elapsed) {
    if (steps_ > 0) return progress_ = double(step) / double(steps_);
    progress_ = progress();
    moves_ = begun_;
    begun_ = true;
    remaining_ = 1;
    if (step_seconds_ > 0) remaining_ = std::int64_t(std::clamp((budget_ - elapsed) / step_seconds_, 1.0, kMostSteps));
    return progress_;
  }
  void after_step(double step_seconds) {
    // the first steps are slower (caches, page faults): forget quickly at first, slowly later
    double weight = seen_ < 20 ? 0.3 : 0.05;
    step_seconds_ = step_seconds_ == 0 ? step_seconds : step_seconds_ + weight * (step_seconds - step_seconds_);
    ++seen_;
  }
  bool finished(std::int64_t step, double elapsed) const {
    return steps_ > 0 ? step >= steps_ : step > 0 && elapsed + 0.5 * step_seconds_ >= budget_;
  }
  /// Steps of the whole run as far as is known now.
  std::int64_t total_steps(std::int64_t step) const { return steps_ > 0 ? steps_ : step + remaining_; }
  double step_seconds() const { return step_seconds_; }
  /// After the step that before_step() was called for last.
  double progress() const { return moves_ ? progress_ + (1 - progress_) / double(remaining_) : progress_; }
  void restore(double progress, double step_seconds) {
    progress_ = progress;
    step_seconds_ = step_seconds;
    seen_ = step_seconds > 0 ? 20 : 0;
    begun_ = step_seconds > 0;
    moves_ = false;
  }

 private:
  static constexpr double kMostSteps = 1e15;  ///< that are foreseen: sums with it stay far from the end of int64
  std::int64_t steps_, remaining_ = 1, seen_ = 0;
  bool begun_ = false, moves_ = false;  ///< a step was begun; the last one moves progress, which the first does not: how long it takes says little
  double budget_, step_seconds_ = 0, progress_ = 0;
};

}  // namespace tenon
