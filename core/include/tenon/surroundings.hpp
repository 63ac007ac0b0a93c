/// What a plugin shares with the process that it lives in besides memory, so that a trial or a check can tell what was changed.
#pragma once

#include <sys/resource.h>
#include <sys/stat.h>

#include <array>
#include <csignal>
#include <exception>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tenon/export.hpp"

namespace tenon {

/// What a change belongs to; each has a load check of its own.
enum class Aspect { descriptors, streams, threads, environment, floating_point, signals, limits, handlers };

struct Change {
  Aspect aspect;
  std::string text;  ///< "descriptor 7 (/dev/null) stays open"
};

/// The state of this process when it is made.
struct TENON_API Surroundings {
  Surroundings();
  std::map<int, std::string> descriptors;  ///< from 3 on, with what they lead to
  std::array<std::pair<dev_t, ino_t>, 3> streams{};  ///< zeros: closed
  std::size_t threads = 0;
  std::string folder, locale;
  std::set<std::string> environment;
  mode_t mask = 0;
  int rounding = 0, traps = 0, priority = 0;
  bool denormals = true;  ///< are kept, not flushed to zero
  std::array<struct sigaction, 65> handlers{};
  sigset_t blocked{};
  std::array<rlimit, RLIM_NLIMITS> limits{};
  bool timer = false;  ///< an alarm, an interval timer or a POSIX timer is set
  std::terminate_handler terminate = nullptr;
  std::new_handler out_of_memory = nullptr;
};

/// The most threads that the core's pool and OpenMP start: with thread_count() threads, 4 at least.
TENON_API std::size_t threads_of_core();

/// The state now; where there are more threads than in `before` and `more`, after giving them a moment to end.
TENON_API Surroundings settled(const Surroundings& before, std::size_t more = threads_of_core());

/// What differs, a sentence each. Not told: as many as `more_threads` more threads, and `may_leave` new descriptors.
TENON_API std::vector<Change> changes(const Surroundings& before, const Surroundings& after, std::size_t may_leave = 0, std::size_t more_threads = threads_of_core());
TENON_API std::string joined(const std::vector<Change>& changes);

}  // namespace tenon
