#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "medical/image/normalise.hpp"
#include "medical/io/image_file.hpp"
#include "medical/tools/common.hpp"
#include "medical/tools/tools.hpp"
#include "tenon/error.hpp"
#include "tenon/io/utf8.hpp"

namespace tenon::medical {
namespace {

nlohmann::json described(const std::filesystem::path& path, const Volume& v) {
  const Geometry& g = v.geometry;
  auto statistics = intensity_statistics(v.values.to(DType::f32));
  auto stored = v.attributes.find("element");
  return {{"file", path.string()},
          {"format", name_of(format_of_file(path))},
          {"size", g.size},
          {"times", v.values.rank() == 4 ? v.values.size(0) : 1},
          {"spacing_mm", g.spacing()},
          {"axes", g.orientation()},
          {"affine_ras_mm", g.to_ras},
          {"shear", g.shear()},
          {"stored_as", stored == v.attributes.end() ? std::string(tenon::name_of(v.values.dtype())) : stored->second},
          {"minimum", statistics.minimum},
          {"maximum", statistics.maximum},
          {"mean", statistics.mean},
          {"deviation", statistics.deviation},
          {"not_finite", statistics.not_finite},
          {"warnings", v.warnings()}};
}

int run(const std::vector<std::string>& inputs, const ParamValues& params, ToolContext& context) {
  if (inputs.empty()) throw_usage("info", "takes at least one file", "tenon medical info FILE...");
  nlohmann::json all = nlohmann::json::array();
  for (const auto& input : inputs) {
    Volume v = read_input(input, params);
    nlohmann::json d = described(input, v);
    if (context.json()) {
      all.push_back(std::move(d));
      continue;
    }
    context.print(fmt::format("{}: {}, {}", input, d["format"].get<std::string>(), one_line(v)));
    for (const auto& row : v.geometry.to_ras) context.print(fmt::format("  {:12.6f} {:12.6f} {:12.6f} {:12.4f}", row[0], row[1], row[2], row[3]));
    context.print(fmt::format("  values {:.6g} to {:.6g}, mean {:.6g}, deviation {:.6g}, {} not finite", d["minimum"].get<double>(), d["maximum"].get<double>(),
                              d["mean"].get<double>(), d["deviation"].get<double>(), d["not_finite"].get<std::int64_t>()));
    report_warnings(v, input, context);
  }
  if (context.json()) context.print(json_text(all));
  return 0;
}

}  // namespace

ToolEntry info_tool() {
  return {"info", "size, spacing, orientation and values of images", "FILE...", reading_params(), run};
}

}  // namespace tenon::medical
