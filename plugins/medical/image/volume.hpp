/// Volume: a scan as a tensor with its place in the patient, and plain functions that read and write it.
///
/// A volume's tensor has axes [z, y, x] (x fastest: the order of the file), or [t, z, y, x] for a series of volumes
/// on one grid. Its geometry maps voxel centres to RAS millimetres (R+ right, A+ anterior, S+ superior). Copies of a
/// Volume share the tensor's buffer. All functions are safe to call from several threads.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tenon/labelled.hpp"
#include "tenon/tensor.hpp"

namespace tenon::medical {

/// Where a voxel grid lies. Indices and sizes are (x, y, z), x fastest; columns of the matrix need be neither
/// orthogonal (gantry tilt is kept) nor unit length.
struct Geometry {
  std::array<std::int64_t, 3> size{1, 1, 1};
  /// RAS mm of the centre of voxel (i, j, k): to_ras * (i, j, k, 1).
  std::array<std::array<double, 4>, 3> to_ras{{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};

  std::array<double, 3> spacing() const;                          ///< lengths of the columns, mm, (x, y, z)
  std::array<std::array<double, 3>, 3> direction() const;         ///< [row][column], columns of unit length
  std::array<double, 3> origin() const;                           ///< RAS mm of voxel (0, 0, 0)
  std::array<double, 3> point(double i, double j, double k) const;  ///< RAS mm
  double determinant() const;                                     ///< of the 3x3 part: signed voxel volume, mm3
  double shear() const;            ///< largest |cosine| between two columns; 0 for an orthogonal grid
  std::string orientation() const;  ///< nearest axis codes, "RAS", "LPI"...: where x, y and z point to
  /// From spacing, unit columns and origin, all in RAS.
  static Geometry from_parts(std::array<std::int64_t, 3> size, const std::array<double, 3>& spacing,
                             const std::array<std::array<double, 3>, 3>& direction, const std::array<double, 3>& origin);
};

/// Largest distance in mm between where `a` and `b` put the eight corner voxels of the grid of `a`.
double corner_difference(const Geometry& a, const Geometry& b);
/// Empty when sizes are equal and corners agree within `tolerance` mm; else what differs, with the values.
std::string describe_difference(const Geometry& a, const Geometry& b, double tolerance = 1e-3);

struct Volume {
  Tensor values;  ///< [z, y, x] or [t, z, y, x]
  Geometry geometry;
  /// What the file said besides, kept so that a writer can put it back: "nifti.header" (hex of the bytes),
  /// "dicom.*", "warning.<n>".
  std::map<std::string, std::string> attributes;

  std::vector<std::string> warnings() const;  ///< what the reader found odd but legal, in order
  void warn(std::string text);
  /// All of them behind the file's name, for one line; empty when there are none.
  std::string warning_line(const std::filesystem::path& file) const;
};

/// Reads a file (or folder with one DICOM series) of any known format, told by its content, with its own element type:
/// unsigned 16 and 32 bit become the next wider signed type, values with a slope become f32. Three or four dimensions.
/// Throws data errors "nifti.*", "gzip.*", "nrrd.*", "metaimage.*", "dicom.*", "medical.*" that name the file.
Volume read_image(const std::filesystem::path& path);
/// The same as f32, [z, y, x]; a file with more than one volume is refused ("medical.not_3d").
Volume read_volume(const std::filesystem::path& path);
/// Labels as u8, [z, y, x]; a fractional or NaN value or one outside 0..255 is refused ("medical.label_value").
Volume read_labels(const std::filesystem::path& path);
/// Header only: geometry and attributes, `values` undefined. Cheap for uncompressed formats.
Geometry read_geometry(const std::filesystem::path& path);

/// Writes with the format of the extension (.nii, .nii.gz, .nrrd, .mha, .mhd; a folder name without extension: DICOM
/// series), atomically. A volume that came from NIfTI keeps every byte of its header's geometry: only element type and
/// scaling are set anew, and the sizes where it has another number of volumes.
void write_image(const std::filesystem::path& path, const Volume& volume);
/// A prediction: `labels` (u8, [z, y, x]) on exactly the grid, and with the header, of `like`. In NIfTI files a header
/// extension (a comment) says so.
void write_labels(const std::filesystem::path& path, const Tensor& labels, const Volume& like);
/// Whether `path` is a NIfTI file with that extension; false for whatever cannot be read.
bool is_written_labels(const std::filesystem::path& path);

/// Axes z, y, x (t) in mm with one affine in array order; and back. Throws usage "medical.labelled" when the array has
/// no such axes or affine.
LabelledArray to_labelled(const Volume& volume);
Volume from_labelled(const LabelledArray& array);

}  // namespace tenon::medical
