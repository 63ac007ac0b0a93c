/// Telling formats apart by content, and choosing one by name.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>

#include "medical/image/volume.hpp"
#include "medical/io/dicom.hpp"

namespace tenon::medical {

enum class ImageFormat { nifti, nrrd, metaimage, dicom };
std::string_view name_of(ImageFormat format);

/// By the first bytes of the file, its extension deciding only where bytes cannot (a damaged file); folders are DICOM.
std::optional<ImageFormat> sniff(const std::filesystem::path& path, std::span<const std::byte> head);
/// Throws "medical.unknown_format" with what is known.
ImageFormat format_of_file(const std::filesystem::path& path);
/// By extension; a name without one is a folder of DICOM files. Throws usage "medical.unknown_extension".
ImageFormat format_of_name(const std::filesystem::path& path);
/// ".nii.gz", ".nrrd", "": what of the name is its extension.
std::string image_extension(const std::filesystem::path& path);

/// read_image with the options that DICOM folders may need.
Volume read_image(const std::filesystem::path& path, const DicomOptions& options);

}  // namespace tenon::medical
