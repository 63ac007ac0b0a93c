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
};

struct NamedCheck {
  std::string name;  ///< "model.gradient cnn"
  std::function<void()> run;
};

/// Runs `body` in a child process with no input and no output. It passes when it returns; a crash, an exit, processes left behind and `limit`
/// seconds spent are failures. Call it from a process with one thread.
CheckOutcome run_check(const std::function<void()>& body, double limit);

/// Throws CheckFailed unless `holds`.
inline void expect(bool holds, const std::string& otherwise) {
  if (!holds) throw CheckFailed{otherwise};
}

}  // namespace tenon::command
