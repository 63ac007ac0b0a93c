/// What the tools share.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tenon/plugin.hpp"

namespace tenon::genomics {

/// Throws genomics.exists where an output is there already and `overwrite` is false, and a usage error where it is one of the inputs.
void require_free(const std::filesystem::path& output, bool overwrite, const std::vector<std::filesystem::path>& inputs);
/// Long operations seen through a tool's context.
Monitor monitor_of(ToolContext& context);

}  // namespace tenon::genomics
