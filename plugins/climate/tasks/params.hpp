/// Small things that the tasks' parameters share.
#pragma once

#include <string>
#include <vector>

#include "tenon/params.hpp"
#include "tenon/task.hpp"

namespace tenon::climate {

/// The recipe's section; a usage error where it was not given.
const ParamValues& section(const TaskContext& context, const std::string& name);
[[noreturn]] void refuse_recipe(const std::string& key, const std::string& what, const std::string& hint);
/// "a | b | c" to its trimmed parts; a usage error unless there are `parts`, all with text.
std::vector<std::string> bar_parts(const std::string& key, const std::string& text, std::size_t parts, const std::string& form);
/// `root / name`, or a usage error with `key` where that is no file.
std::filesystem::path require_file(const std::filesystem::path& file, const std::string& key);

}  // namespace tenon::climate
