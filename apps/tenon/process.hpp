/// Child processes for what the system has a good tool for (curl, tar, md5sum). Never through a shell.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace tenon::command {

struct ProcessResult {
  int status = 0;      ///< exit status; 128 + signal when killed; 127 when the program is not installed
  std::string output;  ///< standard output
  std::string errors;  ///< standard error
};

/// Runs `arguments[0]`, found on PATH, to its end. `poll` is called about five times a second; when it returns false the
/// child is ended. Output is kept to 1 MB.
ProcessResult run_process(const std::vector<std::string>& arguments, const std::function<bool()>& poll = {});

/// The same with everything that it writes going to our standard error as it comes. Returns its exit status, as above.
int show_process(const std::vector<std::string>& arguments);

}  // namespace tenon::command
