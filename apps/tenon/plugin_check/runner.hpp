/// Named checks, each in a process of its own: what a plugin does to it is a result like any other.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace tenon::command {

/// Thrown by a check: why the plugin does not pass, or why the check does not apply to it.
struct CheckFailed {
  std::string text;
};
struct CheckSkipped {
  std::string text;
};

struct CheckOutcome {
  enum class State { passed, failed, skipped } state = State::passed;
  std::string text;
  double seconds = 0;
  std::string left = {};  ///< what it changed in its process (see NamedCheck::before)
};

struct NamedCheck {
  std::string name;  ///< "model.gradient cnn"
  std::function<void()> run;
  /// Called first. Where there is one, what `run` changes in its process is looked at: descriptors, threads, output (surroundings.hpp).
  std::function<void()> before = {};
  /// The check whose outcome tells of those changes; it comes after this one. Empty: nobody's.
  std::string told_by = {};
  /// Where it is not done in time: skipped for this reason instead of failed.
  std::string late = {};
  std::size_t may_leave = 0;  ///< descriptors that are not told: libraries lose one now and then when a file is broken
};

/// Runs a check in a child process with no input; what it prints is kept from the terminal. It passes when it returns; a crash, an exit, processes
/// left behind and `limit` seconds spent are failures. Call it from a process with one thread.
CheckOutcome run_check(const NamedCheck& check, double limit);

/// Throws CheckFailed unless `holds`.
inline void expect(bool holds, const std::string& otherwise) {
  if (!holds) throw CheckFailed{otherwise};
}

}  // namespace tenon::command
