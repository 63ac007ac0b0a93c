/// Decompresses the pixels of one DICOM file with GDCM, in a child process: Debian's GDCM ends the process on bad input,
/// so it never runs in ours.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace tenon::medical {

/// Stored values, little-endian, exactly `to.size()` bytes. Throws "dicom.decode" when the decoder fails, dies, takes
/// longer than 10 s plus 1 s per 2 MB, needs more than 8 GiB of address space, or yields another number of bytes.
void decode_dicom_pixels(const std::filesystem::path& path, std::span<std::byte> to);

}  // namespace tenon::medical
