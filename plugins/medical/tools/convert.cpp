#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "medical/image/orient.hpp"
#include "medical/image/resample.hpp"
#include "medical/io/image_file.hpp"
#include "medical/tools/common.hpp"
#include "medical/tools/tools.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/utf8.hpp"

namespace tenon::medical {
namespace {

/// Only a folder of our own making is replaced: one that holds nothing but DICOM files.
void require_only_dicom(const std::filesystem::path& path) {
  for (const auto& p : files().list(path)) {
    auto info = files().stat(p);
    if (!info || !info->is_regular || p.extension() != ".dcm") {
      throw Error(ErrorKind::usage, "medical.exists", "the folder holds more than DICOM files, so it is not replaced: " + p.filename().string(),
                  "give another name", path.string());
    }
  }
}

void write_output(const std::filesystem::path& out, const Volume& volume) {
  auto info = files().stat(out);
  if (!info || !info->is_directory || format_of_name(out) != ImageFormat::dicom) return write_image(out, volume);
  require_only_dicom(out);
  write_dicom(out, volume, true);
}

int finish(const std::filesystem::path& in, const std::filesystem::path& out, const Volume& before, const Volume& after, ToolContext& context) {
  report_warnings(before, in, context);
  write_output(out, after);
  if (context.json()) {
    context.print(json_text(nlohmann::json{{"input", in.string()},
                                           {"output", out.string()},
                                           {"size", after.geometry.size},
                                           {"spacing_mm", after.geometry.spacing()},
                                           {"axes", after.geometry.orientation()},
                                           {"warnings", before.warnings()}}));
  } else {
    context.print(fmt::format("{}: {}", out.string(), one_line(after)));
  }
  return 0;
}

int run_convert(const std::vector<std::string>& inputs, const ParamValues& params, ToolContext& context) {
  auto [in, out] = in_and_out("convert", inputs, params);
  Volume v = read_input(in, params);
  return finish(in, out, v, v, context);
}

int run_orient(const std::vector<std::string>& inputs, const ParamValues& params, ToolContext& context) {
  auto [in, out] = in_and_out("orient", inputs, params);
  Volume v = read_input(in, params);
  return finish(in, out, v, reorient(v, orientation_to(v.geometry, params.text("to"))), context);
}

int run_resample(const std::vector<std::string>& inputs, const ParamValues& params, ToolContext& context) {
  auto [in, out] = in_and_out("resample", inputs, params);
  const auto& spacing = params.reals("spacing");
  if (spacing.size() != 3) throw_usage("resample", fmt::format("--spacing takes three numbers (x, y, z in mm), got {}", spacing.size()), "for example --spacing 1,1,1");
  Volume v = read_input(in, params);
  if (double s = v.geometry.shear(); s > 1e-3 && params.text("allow_shear") != "resample") {
    throw Error(ErrorKind::data, "medical.shear", fmt::format("the grid is sheared: two axes have cosine {:.4f}; resampling keeps that", s),
                "give --allow-shear=resample to resample along the sheared axes", in.string());
  }
  return finish(in, out, v, resample_to_spacing(v, {spacing[0], spacing[1], spacing[2]}, int(params.integer("order"))), context);
}

}  // namespace

ToolEntry convert_tool() {
  return {"convert", "convert between NIfTI, NRRD, MetaImage and DICOM series, geometry kept", "IN OUT", writing_params(), run_convert};
}

ToolEntry orient_tool() {
  ParamSpec spec = writing_params();
  spec.add(text_param("to", "RAS", "where x, y and z shall point: one letter each of R/L, A/P, S/I"));
  return {"orient", "permute and flip axes; no value changes", "IN OUT", spec, run_orient};
}

ToolEntry resample_tool() {
  ParamSpec spec = writing_params();
  spec.add(reals_param("spacing", {1, 1, 1}, "voxel size along x, y, z of the grid", 1e-3, 1e3, "mm"));
  Param order = integer_param("order", 3, "0 nearest (label maps), 1 linear, 3 cubic B-spline", 0, 3);
  spec.add(order);
  spec.add(text_param("allow_shear", "refuse", "what to do with a sheared grid", {"refuse", "resample"}));
  return {"resample", "another voxel size over the same field of view", "IN OUT", spec, run_resample};
}

}  // namespace tenon::medical
