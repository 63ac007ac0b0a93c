/// MetaImage files (.mha, and .mhd with its data beside it), through ITK after a check of our own.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>

#include "medical/image/volume.hpp"

namespace tenon::medical {

bool is_metaimage(std::span<const std::byte> head);
/// Scalar images of three dimensions (two: one slice), raw or compressed, in one data file of the same folder. Before
/// ITK opens the file its header is parsed as MetaIO parses it, its data compared with the sizes and compressed data
/// unpacked once: "metaimage.header", "metaimage.truncated", "metaimage.trailing", "metaimage.corrupt".
Volume read_metaimage(const std::filesystem::path& path);
/// .mha: one file. .mhd: writes <name>.raw first, then the header, so that a header never points at nothing.
void write_metaimage(const std::filesystem::path& path, const Volume& volume);
/// <name>.raw for a .mhd, which write_metaimage replaces with it; nothing for a .mha.
std::optional<std::filesystem::path> metaimage_data_file(const std::filesystem::path& path);

}  // namespace tenon::medical
