/// NRRD files (.nrrd with its data attached), through ITK after a check of our own.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "medical/image/volume.hpp"

namespace tenon::medical {

bool is_nrrd(std::span<const std::byte> head);
/// Scalar images of three dimensions (two: one slice), encodings raw and gzip. Before ITK opens the file its header is
/// parsed and its data compared with the sizes: "nrrd.header", "nrrd.truncated", "nrrd.trailing", "gzip.*".
Volume read_nrrd(const std::filesystem::path& path);
void write_nrrd(const std::filesystem::path& path, const Volume& volume);

}  // namespace tenon::medical
