/// The plain function behind which ITK's image readers stay. No ITK type crosses this header.
///
/// Callers have checked the file already: ITK accepts truncated data and trusts headers. The ImageIO is named, never
/// found by probing.
#pragma once

#include <filesystem>

#include "medical/image/volume.hpp"

namespace tenon::medical {

enum class ItkFormat { nrrd, metaimage };

/// A scalar image of two or three dimensions with its geometry turned from LPS to RAS.
Volume itk_read(const std::filesystem::path& path, ItkFormat format);

}  // namespace tenon::medical
