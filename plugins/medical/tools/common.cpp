#include "medical/tools/common.hpp"

#include <fmt/format.h>

#include "medical/io/image_file.hpp"
#include "medical/io/metaimage.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

namespace tenon::medical {
namespace {

/// Nothing lies where writing `out` would put a file: the data of a .mhd goes to one of its own.
void require_free(const std::filesystem::path& out) {
  const char hint[] = "give another name, or --overwrite";
  if (file_exists(out)) throw Error(ErrorKind::usage, "medical.exists", "the output is there already", hint, out.string());
  if (format_of_name(out) != ImageFormat::metaimage) return;
  if (auto data = metaimage_data_file(out); data && file_exists(*data)) {
    throw Error(ErrorKind::usage, "medical.exists", "the file that would hold the data of " + out.filename().string() + " is there already", hint, data->string());
  }
}

}  // namespace

ParamSpec reading_params() {
  return {text_param("series", "", "SeriesInstanceUID to take from a DICOM folder with several"),
          boolean_param("drop_duplicates", false, "keep the first of DICOM slices that lie at one place"),
          boolean_param("regularise", false, "interpolate unevenly spaced or missing DICOM slices")};
}

ParamSpec writing_params() {
  ParamSpec spec = reading_params();
  spec.add(boolean_param("overwrite", false, "replace an output that is there already"));
  return spec;
}

Volume read_input(const std::filesystem::path& path, const ParamValues& params) {
  return read_image(path, DicomOptions{params.text("series"), params.boolean("drop_duplicates"), params.boolean("regularise")});
}

std::pair<std::filesystem::path, std::filesystem::path> in_and_out(const char* tool, const std::vector<std::string>& inputs, const ParamValues& params) {
  if (inputs.size() != 2) throw_usage(tool, fmt::format("takes one input and one output, got {} arguments", inputs.size()), "tenon medical " + std::string(tool) + " IN OUT");
  std::filesystem::path out = inputs[1];
  format_of_name(out);
  if (!params.boolean("overwrite")) require_free(out);
  return {inputs[0], out};
}

void report_warnings(const Volume& volume, const std::filesystem::path& path, ToolContext& context) {
  for (const auto& text : volume.warnings()) context.status("warning: " + path.string() + ": " + text);
}

std::string one_line(const Volume& volume) {
  const Geometry& g = volume.geometry;
  auto s = g.spacing();
  std::string times = volume.values.rank() == 4 ? fmt::format(" x {} times", volume.values.size(0)) : std::string();
  return fmt::format("{} x {} x {} voxels{}, {:.6g} x {:.6g} x {:.6g} mm, axes {}, {}", g.size[0], g.size[1], g.size[2], times, s[0], s[1], s[2],
                     g.orientation(), tenon::name_of(volume.values.dtype()));
}

}  // namespace tenon::medical
