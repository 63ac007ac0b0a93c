/// NIfTI files (.nii, .nii.gz), read strictly and written with the input's own header.
#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

#include "medical/image/volume.hpp"

namespace tenon::medical {

/// Own element type (see element.hpp), [z, y, x] or [t, z, y, x]. The header is checked whole before the data is
/// allocated; a file shorter or longer than its header says is refused ("nifti.truncated", "nifti.trailing", "gzip.*").
/// Attributes: "nifti.header" and "nifti.extensions" (hex), "element", "warning.<n>".
Volume read_nifti(const std::filesystem::path& path);
/// Geometry and attributes alone; reads a few kilobytes and leaves the data unchecked.
Volume read_nifti_header(const std::filesystem::path& path);

/// What follows the header of a label map of ours: the flag and one extension of code 6 (a comment), 32 bytes.
std::vector<std::byte> label_map_extension();

/// Compressed when the name ends in .gz.
void write_nifti(const std::filesystem::path& path, const Volume& volume);

}  // namespace tenon::medical
