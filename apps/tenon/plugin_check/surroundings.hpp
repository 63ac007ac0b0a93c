/// What a plugin shares with the process that it lives in besides memory, so that a check can tell what was changed.
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

namespace tenon::command {

/// What a change belongs to; each has a load check of its own.
enum class Aspect { descriptors, streams, threads, environment, floating_point, signals, limits, handlers };

struct Change {
  Aspect aspect;
  std::string text;  ///< "descriptor 7 (/dev/null) stays open"
};

/// The state of this process when it is made.
struct Surroundings {
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
std::size_t threads_of_core();

/// The state now; where there are more threads than in `before` and `more`, after giving them a moment to end.
Surroundings settled(const Surroundings& before, std::size_t more = threads_of_core());

/// What differs, a sentence each. As many as threads_of_core() more threads are not told, nor are `may_leave` new descriptors.
std::vector<Change> changes(const Surroundings& before, const Surroundings& after, std::size_t may_leave = 0);
std::string joined(const std::vector<Change>& changes);

/// While one is alive, standard output and standard error go to memory.
class CapturedOutput {
 public:
  CapturedOutput();
  ~CapturedOutput();
  CapturedOutput(const CapturedOutput&) = delete;
  CapturedOutput& operator=(const CapturedOutput&) = delete;
  /// The first line of what was printed so far, of 200 bytes at most.
  std::string text() const;

 private:
  int file_ = -1, before_[2] = {-1, -1};
};

}  // namespace tenon::command
