#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "medical/image/normalise.hpp"
#include "medical/io/dicom_file.hpp"
#include "medical/io/image_file.hpp"
#include "medical/tools/common.hpp"
#include "medical/tools/tools.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/utf8.hpp"
#include "tenon/task.hpp"

namespace tenon::medical {
namespace {

namespace fs = std::filesystem;

/// Images below a folder: every file with an image's name, and every folder that holds DICOM files as one.
void expand(const fs::path& path, std::vector<fs::path>& out, int depth = 0) {
  auto info = files().stat(path);
  if (!info || !info->is_directory || depth > 32) {
    out.push_back(path);
    return;
  }
  bool dicom = false;
  for (const auto& p : files().list(path)) {
    auto i = files().stat(p);
    if (!i) continue;
    std::string extension = image_extension(p);
    if (i->is_directory) {
      expand(p, out, depth + 1);
    } else if (extension == ".nii" || extension == ".nii.gz" || extension == ".nrrd" || extension == ".mha" || extension == ".mhd") {
      out.push_back(p);
    } else if (!dicom && i->size >= 132) {
      std::byte head[132];
      dicom = is_dicom(std::span(head, files().open_read(p)->read(head, sizeof head)));
    }
  }
  if (dicom) out.push_back(path);
}

struct Verdict {
  std::vector<Problem> problems;
  std::vector<std::string> warnings;
};

Verdict judge(const fs::path& path, const ParamValues& params) {
  Verdict out;
  try {
    Volume v = read_input(path, params);
    out.warnings = v.warnings();
    auto statistics = intensity_statistics(v.values.to(DType::f32));
    if (statistics.not_finite > 0) {
      out.problems.push_back({"medical.not_finite", path.string(), fmt::format("{} of {} voxels are NaN or infinite", statistics.not_finite, statistics.count),
                              "export it again or leave the case out"});
    }
    if (statistics.count > statistics.not_finite && statistics.minimum == statistics.maximum) {
      out.problems.push_back({"medical.constant", path.string(), fmt::format("every finite voxel is {:.6g}", statistics.minimum), "leave the case out"});
    }
  } catch (const Error& e) {
    out.problems.push_back({e.code(), e.where().empty() ? path.string() : e.where(), e.message(), e.hint()});
  }
  return out;
}

int run(const std::vector<std::string>& inputs, const ParamValues& params, ToolContext& context) {
  if (inputs.empty()) throw_usage("validate", "takes files or folders", "tenon medical validate FILE|FOLDER...");
  std::vector<fs::path> paths;
  for (const auto& input : inputs) expand(input, paths);
  nlohmann::json list = nlohmann::json::array();
  std::int64_t bad = 0, warned = 0, seen = 0;
  for (const auto& path : paths) {
    if (context.interrupted())
      throw Error(ErrorKind::usage, "run.interrupted", fmt::format("stopped after {} of {} images", seen, paths.size()),
                  "run the same command again");
    Verdict v = judge(path, params);
    bad += !v.problems.empty();
    warned += !v.warnings.empty();
    for (const Problem& p : v.problems) {
      if (context.json()) list.push_back({{"file", p.where}, {"code", p.code}, {"message", p.message}, {"remedy", p.remedy}});
      else context.print(fmt::format("bad      {}: {} [{}]; {}", p.where, p.message, p.code, p.remedy));
    }
    for (const auto& text : v.warnings) {
      if (context.json()) list.push_back({{"file", path.string()}, {"code", "warning"}, {"message", text}, {"remedy", ""}});
      else context.print(fmt::format("warning  {}: {}", path.string(), text));
    }
    context.progress(++seen, std::int64_t(paths.size()));
  }
  if (context.json())
    context.print(json_text(nlohmann::json{{"images", paths.size()}, {"bad", bad}, {"with_warnings", warned}, {"findings", list}}));
  else context.print(fmt::format("{} images: {} bad, {} with warnings", paths.size(), bad, warned));
  return bad ? int(ErrorKind::data) : 0;
}

}  // namespace

ToolEntry validate_tool() {
  return {"validate", "read every image whole and list what is wrong with it; status 3 if anything is", "FILE|FOLDER...", reading_params(), run};
}

}  // namespace tenon::medical
