/// Seeing each launch with its time, whether it ran eagerly or in a replayed step.
///
///     std::map<std::string, double> seconds;
///     { LaunchWatch watch([&](const LaunchTime& t) { seconds[t.name] += t.seconds; });  plan.run(); }
///
/// A launch is timed on the thread that started it, from start to end of its kernel; the kernel may use the whole thread pool.
/// Values do not change by being watched. Two clock readings a launch while a watch is alive, one test of a pointer otherwise.
#pragma once

#include <functional>

#include "tenon/export.hpp"

namespace tenon {

struct LaunchTime {
  const char* name;        ///< of the launch: "conv", "optimiser.sgd"
  double start, seconds;   ///< start: on the steady clock
};

/// While one is alive on a thread, `see` is called there after each launch that ran. They nest: the innermost sees.
class TENON_API LaunchWatch {
 public:
  explicit LaunchWatch(std::function<void(const LaunchTime&)> see);
  ~LaunchWatch();
  LaunchWatch(const LaunchWatch&) = delete;
  LaunchWatch& operator=(const LaunchWatch&) = delete;

 private:
  std::function<void(const LaunchTime&)> see_;
  LaunchWatch* before_;
  friend struct LaunchWatchAccess;
};

/// Seconds on the clock that LaunchTime::start is read from.
TENON_API double steady_seconds() noexcept;

}  // namespace tenon
