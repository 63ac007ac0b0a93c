/// When a run that gets no better ends before its time.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>

namespace tenon {

/// Stops when `patience` validations in a row were no better than the best by more than `min_delta`. Higher is better here.
class EarlyStop {
 public:
  struct State {
    double best = -1e300;
    std::int64_t waited = 0, best_step = 0;
  };
  EarlyStop(std::int64_t patience, double min_delta) : patience_(patience), min_delta_(min_delta) {}

  bool used() const { return patience_ > 0; }
  /// A value that is not finite is no improvement.
  void observe(double value, std::int64_t step) {
    if (std::isfinite(value) && value > state.best + min_delta_)
      state = {value, 0, step};
    else
      ++state.waited;
  }
  bool due() const { return used() && state.waited >= patience_; }

  State state;

 private:
  std::int64_t patience_;
  double min_delta_;
};

}  // namespace tenon
