/// What the tools share.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tenon/plugin.hpp"

namespace tenon::genomics {

/// Whether two names mean one file, by links of either kind or other spellings; neither needs to be there.
bool same_file(const std::filesystem::path& a, const std::filesystem::path& b);
/// Throws genomics.exists, a usage error, where an output is there already and `overwrite` is false, and where it is one of the inputs or has the
/// name of an index of one. Empty inputs are passed over.
void require_free(const std::filesystem::path& output, bool overwrite, const std::vector<std::filesystem::path>& inputs);
/// Long operations seen through a tool's context.
Monitor monitor_of(ToolContext& context);

}  // namespace tenon::genomics
