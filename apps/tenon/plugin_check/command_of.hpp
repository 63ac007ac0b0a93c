/// The command itself, called by checks of tools and recipes.
#pragma once

#include <string>
#include <vector>

#include "plugin_check/subject.hpp"
#include "process.hpp"

namespace tenon::command {

/// This very command, with the subject in front of all plugins.
ProcessResult tenon(const Subject& s, const std::vector<std::string>& arguments);

/// Throws CheckFailed where it ended with another status, with what it printed.
void expect_status(const ProcessResult& r, const std::vector<int>& allowed, const std::string& what);

}  // namespace tenon::command
