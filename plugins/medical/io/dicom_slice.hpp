/// One DICOM image as the series logic sees it: where it lies, how its values are scaled, and its pixels on demand.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "medical/io/dicom_file.hpp"
#include "medical/io/element.hpp"

namespace tenon::medical {

using Vec3 = std::array<double, 3>;
inline double dot(const Vec3& a, const Vec3& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }
inline Vec3 cross(const Vec3& a, const Vec3& b) { return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]}; }

struct DicomSlice {
  std::filesystem::path path;
  DicomFile file;
  std::int64_t rows = 0, columns = 0;
  int bits_allocated = 16, bits_stored = 16;
  bool is_signed = false;
  bool has_place = false;            ///< position and orientation are both given
  Vec3 position{0, 0, 0};            ///< LPS mm of the first pixel
  Vec3 row{1, 0, 0}, column{0, 1, 0};  ///< LPS directions along a row and down a column
  double dx = 1, dy = 1;             ///< mm between columns and between rows
  bool has_spacing = false;
  double slope = 1, intercept = 0;
  std::string series, rescale_type;
  bool mosaic = false;
  double number = 0;                 ///< AcquisitionNumber, else InstanceNumber: orders volumes in time, nothing else

  Vec3 normal() const { return cross(row, column); }
  std::size_t pixel_bytes() const { return std::size_t(rows * columns) * std::size_t(bits_allocated / 8); }
  Element element() const;
  /// Stored values, little-endian, pixel_bytes() long. Decodes in a child process when compressed.
  Tensor stored() const;
};

/// Checks the image attributes of `file`. Throws "dicom.missing_tag", "dicom.unsupported", "dicom.pixel_length",
/// "dicom.geometry", "dicom.rescale", naming the file.
DicomSlice make_slice(const std::filesystem::path& path, DicomFile file);

/// What the series writer puts back: patient, study, frame of reference, modality ("dicom.<hex tag>").
std::map<std::string, std::string> identity_of(const DicomFile& file);

}  // namespace tenon::medical
