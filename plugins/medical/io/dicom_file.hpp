/// One DICOM file (PS3.10), walked with bounds before anything trusts it.
///
/// Reads explicit and implicit VR little endian; compressed transfer syntaxes are walked and left to a decoder.
/// Every length is checked against what is left, sequences may nest 64 deep, and nothing is allocated by a number in
/// the file. Throws data errors "dicom.not_dicom", "dicom.truncated", "dicom.length", "dicom.depth", "dicom.header",
/// "dicom.transfer_syntax".
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tenon::medical {

using DicomTag = std::uint32_t;  ///< group << 16 | element

class DicomFile {
 public:
  /// Takes over the bytes of the file.
  explicit DicomFile(std::vector<std::byte> bytes);
  static DicomFile read(const std::filesystem::path& path);
  DicomFile(DicomFile&&) = default;  // elements point into the bytes: moved, never copied
  DicomFile& operator=(DicomFile&&) = default;

  /// A top-level element's value, without its padding; nothing when absent.
  std::optional<std::span<const std::byte>> value(DicomTag tag) const;
  /// Text with trailing padding removed; "" when absent.
  std::string text(DicomTag tag) const;
  /// A decimal string with backslashes between numbers (DS, IS); NaN for what is no number.
  std::vector<double> decimals(DicomTag tag) const;
  /// A US or UL value.
  std::optional<std::uint32_t> number(DicomTag tag) const;

  const std::string& transfer_syntax() const { return transfer_syntax_; }
  bool has_pixels() const { return has_pixels_; }
  bool compressed() const { return compressed_; }
  std::span<const std::byte> pixels() const { return pixels_; }  ///< of uncompressed data
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::size_t walk(std::size_t at, std::size_t end, bool explicit_vr, int depth, bool until_delimiter);
  std::size_t walk_items(std::size_t at, std::size_t end, bool explicit_vr, int depth, bool until_delimiter);
  std::size_t walk_fragments(std::size_t at);
  template <class T> T take(std::size_t& at, std::size_t end) const;

  std::vector<std::byte> bytes_;
  std::map<DicomTag, std::span<const std::byte>> elements_;
  std::string transfer_syntax_;
  std::span<const std::byte> pixels_;
  bool has_pixels_ = false, compressed_ = false;
};

bool is_dicom(std::span<const std::byte> head);

}  // namespace tenon::medical
