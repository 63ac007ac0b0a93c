#include <fmt/format.h>

#include "climate/io/coordinates.hpp"
#include "climate/tools/common.hpp"
#include "climate/tools/cycle.hpp"
#include "climate/tools/tools.hpp"
#include "tenon/error.hpp"

namespace tenon::climate {
namespace {

void add_cycle_params(ParamSpec& spec) {
  spec.add(text_param("kind", "monthly", "means of months, means of days of the year, or annual harmonics fitted by least squares", {"monthly", "daily", "harmonics"}));
  spec.add(text_param("base", "", "period to take the climatology from, both ends inside: 2001/2006; empty: all times"));
  spec.add(integer_param("harmonics", 3, "harmonics of the year besides the mean, of kind harmonics", 0, 12));
  spec.add(integer_param("window", 1, "days averaged around each day of the year (an odd number), of kind daily", 1, 91));
}

CycleOptions cycle_options(const char* tool, const LabelledArray& array, const ParamValues& params) {
  CycleOptions o;
  o.kind = cycle_from_name(params.text("kind"));
  o.harmonics = int(params.integer("harmonics"));
  o.window = int(params.integer("window"));
  if (o.window % 2 == 0) throw_usage(tool, fmt::format("--window {} is not odd", o.window), "the window lies around its day");
  if (const auto& base = params.text("base"); !base.empty()) {
    const Axis& time = array.axes[std::size_t(require_axis(array, AxisRole::time))];
    o.base = parse_period(base, calendar_from_name(time.time ? time.time->calendar : "standard"), "base");
  }
  return o;
}

std::string described(const ParamValues& params) {
  std::string out = " --kind " + params.text("kind");
  if (params.text("kind") == "harmonics") out += fmt::format(" --harmonics {}", params.integer("harmonics"));
  if (params.text("kind") == "daily") out += fmt::format(" --window {}", params.integer("window"));
  if (!params.text("base").empty()) out += " --base " + params.text("base");
  return out;
}

int run_climatology(const std::vector<std::string>& inputs, const ParamValues& params, ToolContext& context) {
  const auto [in, out] = in_and_out("climatology", inputs, params);
  Provenance provenance(in);
  const auto file = open_input(in, params, context);
  const std::string name = params.text("variable").empty() ? only_variable(*file) : params.text("variable");
  const ReadOptions read = read_options(params, in, context);
  const auto blocks = variable_in_blocks(*file, name, read);
  LabelledArray result;
  if (blocks && blocks->labels.axes[0].time && find_axis(blocks->labels, AxisRole::time) == 0) {
    try {
      result = Cycle(*blocks, cycle_options("climatology", blocks->labels, params)).as_array();
    } catch (const Error& e) {
      throw e.at(in.string());
    }
  } else {
    const LabelledArray array = read_variable(*file, name, read);
    try {
      result = Cycle(array, cycle_options("climatology", array, params)).as_array();
    } catch (const Error& e) {
      throw e.at(in.string());
    }
  }
  write_output(out, std::move(result), *file, provenance, params, "climatology" + described(params), context);
  return 0;
}

int run_anomaly(const std::vector<std::string>& inputs, const ParamValues& params, ToolContext& context) {
  const auto [in, out] = in_and_out("anomaly", inputs, params);
  Provenance provenance(in);
  const auto file = open_input(in, params, context);
  const LabelledArray array = read_variable(*file, params.text("variable").empty() ? only_variable(*file) : params.text("variable"), read_options(params, in, context));
  const std::string& from = params.text("climatology");
  if (!from.empty() && (params.given("kind") || params.given("base"))) throw_usage("anomaly", "--climatology and --kind or --base exclude each other", "the file decides which climatology is taken off");
  LabelledArray result;
  try {
    if (from.empty()) {
      result = anomaly_of(array, Cycle(array, cycle_options("anomaly", array, params)));
    } else {
      const auto source = open_input(from, params, context);
      result = anomaly_of(array, Cycle::from_climatology(read_variable(*source, source->find(array.name) ? array.name : only_variable(*source), read_options(params, from, context))));
    }
  } catch (const Error& e) {
    throw e.at(in.string());
  }
  write_output(out, std::move(result), *file, provenance, params, "anomaly" + (from.empty() ? described(params) : " --climatology " + std::filesystem::path(from).filename().string()), context);
  return 0;
}

}  // namespace

ToolEntry climatology_tool() {
  ParamSpec spec = writing_params();
  add_cycle_params(spec);
  return {"climatology", "the mean annual cycle: by months, by days of the year, or as harmonics", "IN OUT [--kind KIND] [--base PERIOD]", spec, run_climatology};
}

ToolEntry anomaly_tool() {
  ParamSpec spec = writing_params();
  add_cycle_params(spec);
  spec.add(path_param("climatology", "", "file made by `tenon climate climatology` to take off; empty: fitted on the input"));
  return {"anomaly", "differences from the mean annual cycle of a base period", "IN OUT [--kind KIND] [--base PERIOD | --climatology FILE]", spec, run_anomaly};
}

}  // namespace tenon::climate
