#include "medical/io/formats.hpp"

#include "medical/io/dicom.hpp"
#include "medical/io/image_file.hpp"
#include "medical/io/metaimage.hpp"
#include "medical/io/nifti.hpp"
#include "medical/io/nrrd.hpp"

namespace tenon::medical {
namespace {

using Path = std::filesystem::path;

FormatEntry entry(const char* name, const char* help, std::vector<std::string> extensions, ImageFormat format, Volume (*read)(const Path&),
                  void (*write)(const Path&, const Volume&)) {
  FormatEntry e;
  e.name = name;
  e.help = help;
  e.extensions = std::move(extensions);
  e.sniff = [format](const Path& path, std::span<const std::byte> head) { return sniff(path, head) == format; };
  e.read = [read](const Path& path, const ParamValues&) { return to_labelled(read(path)); };
  e.write = [write](const Path& path, const LabelledArray& array, const ParamValues&) { write(path, from_labelled(array)); };
  return e;
}

}  // namespace

FormatEntry nifti_format() {
  return entry("nifti", "NIfTI-1 and -2, read strictly, header kept", {".nii.gz", ".nii"}, ImageFormat::nifti, read_nifti, write_nifti);
}

FormatEntry nrrd_format() { return entry("nrrd", "NRRD with attached data, raw or gzip", {".nrrd"}, ImageFormat::nrrd, read_nrrd, write_nrrd); }

FormatEntry metaimage_format() {
  return entry("metaimage", "MetaImage, one file or header with data beside it", {".mha", ".mhd"}, ImageFormat::metaimage, read_metaimage, write_metaimage);
}

FormatEntry dicom_format() {
  FormatEntry e;
  e.name = "dicom";
  e.help = "a folder with one DICOM series, slices ordered and checked by position; Siemens mosaics";
  e.extensions = {".dcm"};
  e.sniff = [](const Path& path, std::span<const std::byte> head) { return sniff(path, head) == ImageFormat::dicom; };
  e.params = {text_param("series", "", "SeriesInstanceUID to take"), boolean_param("drop_duplicates", false, "keep the first of slices at one place"),
              boolean_param("regularise", false, "interpolate unevenly spaced or missing slices")};
  e.read = [](const Path& path, const ParamValues& p) {
    DicomOptions options;
    if (p.has("series")) options = {p.text("series"), p.boolean("drop_duplicates"), p.boolean("regularise")};
    return to_labelled(read_dicom(path, options));
  };
  e.write = [](const Path& path, const LabelledArray& array, const ParamValues&) { write_dicom(path, from_labelled(array)); };
  return e;
}

}  // namespace tenon::medical
