/// CLI11 and what our own rules add to it: exit status 2 for wrong use, and the nearest names for what is unknown.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "command.hpp"

namespace tenon::command {

void add_common(CLI::App& app, Common& common, bool computes);
/// --device: for the commands that run models.
void add_device(CLI::App& app, Common& common);

/// The values that completion offers for an option or a positional argument. `only`: no others are taken.
CLI::Option* offer(CLI::Option* option, std::vector<std::string> values, bool only);

/// Parses. Returns the exit status when there is nothing more to do (help, version); throws a usage error for wrong use.
std::optional<int> parse_command_line(CLI::App& app, std::vector<std::string> arguments);

/// Script text for `tenon completion SHELL`, made from the options that `app` declares.
std::string completion_script(const CLI::App& app, const std::string& shell);

}  // namespace tenon::command
