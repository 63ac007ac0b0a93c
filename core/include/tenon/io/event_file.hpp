/// Curves for TensorBoard: scalars in an event file.
///
/// The format: records of [length u64][masked CRC-32C of it u32][message][masked CRC-32C of it u32], little endian (TensorFlow's
/// TFRecord); messages are protobuf, `Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5 }`,
/// `Summary { repeated Value { string tag = 1; float simple_value = 2 } value = 1 }`. Encoded by hand: the few fields are this page.
///
/// A file is opened for each write, in append mode, and each write is whole records in one call: a killed writer can spoil
/// only its last record, which trim() cuts off.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tenon/export.hpp"

namespace tenon {

/// CRC-32C (Castagnoli, polynomial 0x1edc6f41 reflected), as iSCSI, ext4 and TFRecord use it.
TENON_API std::uint32_t crc32c_of(std::span<const std::byte> bytes) noexcept;

class TENON_API EventFile {
 public:
  /// Goes on with the event file in `folder`, or begins one, events.out.tfevents.<seconds>.tenon; makes the folder.
  explicit EventFile(const std::filesystem::path& folder);
  const std::filesystem::path& path() const noexcept { return path_; }

  /// One event: scalars by tag, at a step. Tags with '/' are grouped by TensorBoard.
  void scalars(std::int64_t step, const std::vector<std::pair<std::string, double>>& values) const;
  /// Keeps whole records of steps up to `step`; what a resumed run will write again goes, and so does a torn end.
  void trim(std::int64_t step) const;

 private:
  std::filesystem::path path_;
};

}  // namespace tenon
