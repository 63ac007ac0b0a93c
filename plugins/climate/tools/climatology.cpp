#include <fmt/format.h>

#include "climate/io/coordinates.hpp"
#include "climate/tools/alignment.hpp"
#include "climate/tools/common.hpp"
#include "climate/tools/cycle.hpp"
#include "climate/tools/statistics.hpp"
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
  const auto finish = [&](const Cycle& cycle) {
    for (const auto& note : cycle.notes()) context.status("note: " + in.string() + ": " + note);
    result = cycle.as_array();
  };
  try {
    if (blocks && blocks->labels.axes[0].time && find_axis(blocks->labels, AxisRole::time) == 0) {
      finish(Cycle(checked_blocks(*blocks, in, context), cycle_options("climatology", blocks->labels, params)));
    } else {
      const LabelledArray array = read_variable(*file, name, read);
      require_no_infinity(array, in);
      finish(Cycle(array, cycle_options("climatology", array, params)));
    }
  } catch (const Error& e) {
    throw e.at(in.string());
  }
  write_output(out, std::move(result), *file, provenance, params, "climatology" + described(params), context);
  return 0;
}

/// The climatology of a file, on the places of `array` and in its unit.
Cycle cycle_of_file(const std::string& path, const LabelledArray& array, const ParamValues& params, ToolContext& context) {
  const auto file = open_input(path, params, context);
  const LabelledArray climatology = read_variable(*file, file->find(array.name) ? array.name : only_variable(*file), read_options(params, path, context));
  require_no_infinity(climatology, path);
  const Axis& time = array.axes[std::size_t(require_axis(array, AxisRole::time))];
  return Cycle::from_climatology(aligned_climatology(climatology, array), calendar_from_name(time.time ? time.time->calendar : "standard"));
}

std::int64_t values_in(const LabelledArray& array) {
  const Statistics s = statistics_of(array.values);
  return s.values - s.missing;
}

int run_anomaly(const std::vector<std::string>& inputs, const ParamValues& params, ToolContext& context) {
  const auto [in, out] = in_and_out("anomaly", inputs, params);
  Provenance provenance(in);
  const auto file = open_input(in, params, context);
  const LabelledArray array = read_variable(*file, params.text("variable").empty() ? only_variable(*file) : params.text("variable"), read_options(params, in, context));
  const std::string& from = params.text("climatology");
  if (!from.empty() && (params.given("kind") || params.given("base"))) throw_usage("anomaly", "--climatology and --kind or --base exclude each other", "the file decides which climatology is taken off");
  require_no_infinity(array, in);
  const std::filesystem::path made_from = from.empty() ? in : std::filesystem::path(from);
  LabelledArray result;
  try {
    stop_if_asked(context);
    const Cycle cycle = from.empty() ? Cycle(array, cycle_options("anomaly", array, params)) : cycle_of_file(from, array, params, context);
    for (const auto& note : cycle.notes()) context.status("note: " + made_from.string() + ": " + note);
    stop_if_asked(context);
    result = anomaly_of(array, cycle);
  } catch (const Error& e) {
    throw e.at(made_from.string());
  }
  const std::int64_t before = values_in(array), lost = before - values_in(result);
  if (2 * lost > before)
    throw Error(ErrorKind::data, "climate.base", fmt::format("{} of {} values have no climatology to be taken off", lost, before), "give a climatology that covers their times and places", made_from.string());
  if (lost > 0) context.status(fmt::format("note: {}: {} of {} values have no climatology: their anomaly is missing", made_from.string(), lost, before));
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
