#pragma once

#include <string>

namespace tenon::command {

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
