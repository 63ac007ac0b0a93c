/// Work done in a child process, for code that is not trusted to return: whatever it does to its process is a result like any other.
#pragma once

#include <functional>
#include <string>

#include "tenon/export.hpp"

namespace tenon {

struct ChildEnd {
  enum class How {
    returned,   ///< the work came to its end
    late,       ///< it was not done in time, and was killed
    signalled,  ///< a signal ended the process: `number`
    exited,     ///< the process left by itself before the work was done: with status `number`
    no_process  ///< none could be made: `number` is the system's error
  } how = How::returned;
  int number = 0;
  bool left_processes = false;  ///< processes that it started, or that those did, outlived the work; they are killed
  std::string report;           ///< what the work returned, its first 60 000 bytes
  double seconds = 0;

  /// "SIGSEGV"; of a signal that has no name "signal 64".
  TENON_API std::string signal_name() const;
};

/// Runs `work` in a fork of this process, in a group of its own, with /dev/null for its three streams and no core dump, for `seconds` at most. What
/// `work` throws is its own affair: it must catch what it wants to report; an exception that leaves it counts as returned, with an empty report.
/// Only the calling thread lives on in the child: call this where no other thread holds a lock that `work` takes.
TENON_API ChildEnd run_in_child(const std::function<std::string()>& work, double seconds);

}  // namespace tenon
