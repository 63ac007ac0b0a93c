#include <fmt/format.h>

#include "climate/grid/regrid.hpp"
#include "climate/tools/common.hpp"
#include "climate/tools/tools.hpp"
#include "tenon/error.hpp"

namespace tenon::climate {
namespace {

Grid target_grid(const std::string& name, const ParamValues& params, ToolContext& context) {
  if (is_grid_name(name)) return grid_from_name(name);
  if (name.find('.') == std::string::npos && name.find('/') == std::string::npos) return grid_from_name(name);  // throws, with the names there are
  const auto file = open_input(name, params, context);
  ReadOptions options = read_options(params, name, context);
  options.auxiliary = false;
  // Any variable with both axes has the grid.
  std::optional<Error> last;
  for (const auto& variable : data_variables(*file)) {
    if (!is_number(file->find(variable)->type) || file->find(variable)->dimensions.size() < 2) continue;
    try {
      return grid_of(without_doubled_meridian(read_variable(*file, variable, options)), options.note);
    } catch (const Error& e) {
      last = e;
    }
  }
  if (last) throw *last;
  throw Error(ErrorKind::data, "climate.grid", "no variable has a latitude and a longitude axis", "give another file, or a name like r360x180", name);
}

int run(const std::vector<std::string>& inputs, const ParamValues& params, ToolContext& context) {
  const auto [in, out] = in_and_out("regrid", inputs, params);
  const std::string& name = params.text("grid");
  const Grid target = target_grid(name, params, context);
  Provenance provenance(in);
  const auto file = open_input(in, params, context);
  const ReadOptions read = read_options(params, in, context);
  const std::string variable = params.text("variable").empty() ? only_variable(*file) : params.text("variable");
  RegridOptions options;
  options.method = method_from_name(params.text("method"));
  options.least_valid = params.real("min_valid");
  options.note = read.note;
  options.between = [&context] { stop_if_asked(context); };
  LabelledArray result;
  const auto blocks = variable_in_blocks(*file, variable, read);
  try {
    auto by_blocks = blocks ? regrid(checked_blocks(*blocks, in, context), target, options) : std::nullopt;
    if (by_blocks) {
      result = std::move(*by_blocks);
    } else {
      const LabelledArray array = read_variable(*file, variable, read);
      require_no_infinity(array, in);
      stop_if_asked(context);
      result = regrid(array, target, options);
    }
  } catch (const Error& e) {
    throw e.at(in.string());
  }
  write_output(out, std::move(result), *file, provenance, params, fmt::format("regrid --grid {} --method {}", name, params.text("method")), context);
  return 0;
}

}  // namespace

ToolEntry regrid_tool() {
  ParamSpec spec = writing_params();
  Param grid = text_param("grid", "", "target: r360x180 (CDO's: an odd number of latitudes puts rows on the poles, r144x73), n32 or F32 (Gaussian), or a NetCDF file that has the grid");
  grid.required = true;
  spec.add(grid);
  spec.add(text_param("method", "conservative", "conservative keeps the integral, bilinear is smooth, nearest keeps values", {"conservative", "bilinear", "nearest"}));
  spec.add(real_param("min_valid", 0.5, "part of a target cell that must lie on values; below it the cell is missing", 0, 1));
  return {"regrid", "another latitude-longitude grid: nearest, bilinear or conservative", "IN OUT --grid GRID", spec, run};
}

}  // namespace tenon::climate
