/// What the tools share: reading with the user's repair options, writing without overwriting.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "medical/image/volume.hpp"
#include "tenon/plugin.hpp"

namespace tenon::medical {

/// --series, --drop-duplicates, --regularise: how DICOM folders may be repaired.
ParamSpec reading_params();
/// The same and --overwrite.
ParamSpec writing_params();

Volume read_input(const std::filesystem::path& path, const ParamValues& params);
/// Exactly two positional arguments, the second of them free to write; throws usage errors that begin with the tool's name.
std::pair<std::filesystem::path, std::filesystem::path> in_and_out(const char* tool, const std::vector<std::string>& inputs, const ParamValues& params);
void report_warnings(const Volume& volume, const std::filesystem::path& path, ToolContext& context);
/// "64 x 79 x 67 voxels, 2.39 x 2.39 x 2.37 mm, axes RAS, f32".
std::string one_line(const Volume& volume);

}  // namespace tenon::medical
