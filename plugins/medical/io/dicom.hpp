/// DICOM: a folder with one series (or one file) to a volume, and back.
///
/// Slices are ordered by ImagePositionPatient projected on the normal of the image plane, never by number or name; the
/// step between them must be uniform. Uncompressed pixels are read here, compressed ones by GDCM in a child process.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "medical/image/volume.hpp"

namespace tenon::medical {

struct DicomOptions {
  std::string series;            ///< SeriesInstanceUID to take; empty: the only one
  bool drop_duplicates = false;  ///< of slices at one place keep the first by name, and warn
  /// Interpolate uneven steps and missing slices linearly onto the median step, and warn. Slices missing at the ends of
  /// the stack, which only headers tell of, stay missing.
  bool regularise = false;
};

/// Throws data errors: "dicom.no_images", "dicom.several_series" (listing them), "dicom.missing_slice",
/// "dicom.duplicate_slice", "dicom.uneven_step", "dicom.mixed_orientation", "dicom.mixed_size",
/// "dicom.mixed_rescale_type", "dicom.no_position" and those of a single file, naming the slices. Files that are no
/// DICOM or hold no image are skipped and listed as warnings. A folder of Siemens mosaics gives [t, z, y, x].
/// Values are stored * slope + intercept slice by slice: i16 or i32 where that is whole, else f32.
Volume read_dicom(const std::filesystem::path& path, const DicomOptions& options = {});

/// Writes a new folder with one file a slice ("slice_0001.dcm"...), Explicit VR Little Endian, 16 bit, as Secondary
/// Capture (MR and CT keep theirs) with patient, study and frame of reference from the attributes where they are there.
/// UIDs derive from the content: equal volumes give equal files. Whole values that fit 16 bits are stored as they are,
/// others by one slope and intercept. Throws "dicom.exists" when the folder is there, "dicom.shear" for a sheared grid.
/// With `replace` a folder that is there gives way, with all that is in it, once the new one is whole; whatever fails
/// before leaves it as it was.
void write_dicom(const std::filesystem::path& folder, const Volume& volume, bool replace = false);

}  // namespace tenon::medical
