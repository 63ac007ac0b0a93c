/// The plain functions behind which ITK's image readers and writers stay. No ITK type crosses this header.
///
/// Callers have checked the file already: ITK accepts truncated data and trusts headers. The ImageIO is named, never
/// found by probing.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "medical/image/volume.hpp"
#include "medical/io/element.hpp"

namespace tenon::medical {

enum class ItkFormat { nrrd, metaimage };

/// A scalar image of two or three dimensions with its geometry turned from LPS to RAS.
Volume itk_read(const std::filesystem::path& path, ItkFormat format);
/// The bytes of a file that holds `volume` [z, y, x], header and data in one. ITK only writes to a path, so a scratch file
/// is made beside `path` and removed again.
std::vector<std::byte> itk_encode(const std::filesystem::path& path, const Volume& volume, ItkFormat format, bool compress);

}  // namespace tenon::medical
