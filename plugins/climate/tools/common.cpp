#include "climate/tools/common.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include <atomic>
#include <cmath>
#include <limits>
#include <memory>
#include <set>

#include "climate/io/stored.hpp"
#include "climate/io/writer.hpp"
#include "tenon/error.hpp"
#include "tenon/indexing.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/sha256.hpp"
#include "tenon/io/utf8.hpp"
#include "tenon/kernel.hpp"

namespace tenon::climate {

ParamSpec reading_params() {
  return {text_param("variable", "", "variable to take; empty: the only one of the file"),
          reals_param("mask", {}, "values to take as missing besides those the file declares"),
          text_param("time_order", "refuse", "times that repeat or run backwards: refuse them, sort them, or sort and keep the first or last of equal ones", {"refuse", "sort", "first", "last"}),
          text_param("months", "calendar", "units of months or years: steps of the calendar (whole numbers only), or udunits' year of 365.242198781 days", {"calendar", "udunits"}),
          text_param("time_format", "units", "what the numbers of the time axis are: counts by its units, or dates spelt yyyymm or yyyymmdd", {"units", "yyyymm", "yyyymmdd"}),
          text_param("latitude", "", "variable that holds the latitude, where the file does not say"),
          text_param("longitude", "", "variable that holds the longitude, where the file does not say"),
          boolean_param("whole_records", false, "of a classic file that ends too early, read the records that are whole")};
}

ParamSpec writing_params() {
  ParamSpec spec = reading_params();
  spec.add(boolean_param("overwrite", false, "replace an output that is there already"));
  spec.add(integer_param("deflate", 1, "compression of NetCDF-4: 0 none, 9 most", 0, 9));
  spec.add(boolean_param("classic", false, "write a classic file (64-bit offsets) instead of NetCDF-4"));
  return spec;
}

ReadOptions read_options(const ParamValues& p, const std::filesystem::path& path, ToolContext& context) {
  ReadOptions o;
  o.coordinates.time = {p.text("months"), p.text("time_format"), p.text("time_order")};
  o.coordinates.latitude = p.text("latitude");
  o.coordinates.longitude = p.text("longitude");
  o.mask_values = p.reals("mask");
  o.whole_records = p.boolean("whole_records");
  auto said = std::make_shared<std::set<std::string>>();
  o.note = [said, path, &context](const std::string& text) {
    if (said->insert(text).second) context.status("note: " + path.string() + ": " + text);
  };
  return o;
}

std::unique_ptr<NetcdfFile> open_input(const std::filesystem::path& path, const ParamValues& params, ToolContext& context) {
  auto file = open_netcdf(path, {params.boolean("whole_records")});
  for (const auto& n : file->header().notes) context.status("note: " + path.string() + ": " + n);
  return file;
}

LabelledArray read_input(const std::filesystem::path& path, const ParamValues& params, ToolContext& context) {
  const auto file = open_input(path, params, context);
  const std::string& name = params.text("variable");
  return read_variable(*file, name.empty() ? only_variable(*file) : name, read_options(params, path, context));
}

namespace {

template <class T>
bool any_infinite(const T* x, std::int64_t n) {
  std::atomic<bool> found = false;
  parallel_blocks(n, 1 << 18, [&](std::int64_t from, std::int64_t to) {
    int infinite = 0;
    for (std::int64_t i = from; i < to; ++i) infinite |= std::abs(x[i]) > std::numeric_limits<T>::max();
    if (infinite) found = true;
  });
  return found;
}

bool has_infinity(const Tensor& values) {
  const Tensor x = (values.dtype() == DType::f32 ? values : values.to(DType::f64)).contiguous();
  return x.dtype() == DType::f32 ? any_infinite(x.data<float>(), x.numel()) : any_infinite(x.data<double>(), x.numel());
}

}  // namespace

void require_no_infinity(const LabelledArray& labels, const Tensor& rows, std::int64_t first, const std::filesystem::path& path) {
  if (!has_infinity(rows)) return;
  LabelledArray part = labels;
  part.values = rows;
  const auto cut = [&](auto& list) {
    if (!list.empty()) list.assign(list.begin() + first, list.begin() + first + rows.size(0));
  };
  cut(part.axes[0].coordinates);
  cut(part.axes[0].labels);
  if (part.axes[0].time) {
    auto& ticks = part.axes[0].time->ticks;
    ticks = std::vector<std::int64_t>(ticks.begin() + first, ticks.begin() + first + rows.size(0));
  }
  require_no_infinity(part, path);
}

void require_no_infinity(const LabelledArray& array, const std::filesystem::path& path) {
  if (!is_floating(array.values.dtype()) || !has_infinity(array.values)) return;
  const auto values = array.values.to_vector();
  const auto found = std::find_if(values.begin(), values.end(), [](double x) { return std::isinf(x); });
  if (found == values.end()) return;
  std::string place;
  auto rest = std::int64_t(found - values.begin());
  for (int k = array.values.rank() - 1; k >= 0; --k) {
    const Axis& a = array.axes[std::size_t(k)];
    const auto i = std::size_t(rest % array.values.size(k));
    rest /= array.values.size(k);
    std::string at = fmt::format("{} {}", a.name, i);
    if (a.time) at = date_text(calendar_from_name(a.time->calendar), a.time->ticks[i]);
    else if (!a.coordinates.empty()) at = fmt::format("{} {:g}", a.name, a.coordinates[i]);
    else if (!a.labels.empty()) at = fmt::format("{} {}", a.name, a.labels[i]);
    place = at + (place.empty() ? "" : ", " + place);
  }
  throw Error(ErrorKind::data, "climate.not_finite", fmt::format("'{}' is {} at {}", array.name, *found > 0 ? "infinite" : "minus infinite", place), "mend the value, or take infinite ones as missing: --mask inf,-inf", path.string());
}

void stop_if_asked(ToolContext& context) {
  if (context.interrupted()) throw Error(ErrorKind::usage, "run.interrupted", "stopped before the result was whole; nothing was written", "run the same command again");
}

VariableBlocks checked_blocks(VariableBlocks blocks, const std::filesystem::path& path, ToolContext& context) {
  auto labels = std::make_shared<LabelledArray>(blocks.labels);
  blocks.read = [inner = std::move(blocks.read), labels, path, &context](std::int64_t first, std::int64_t count) {
    stop_if_asked(context);
    Tensor rows = inner(first, count);
    require_no_infinity(*labels, rows, first, path);
    return rows;
  };
  return blocks;
}

std::pair<std::filesystem::path, std::filesystem::path> in_and_out(const char* tool, const std::vector<std::string>& inputs, const ParamValues& params) {
  if (inputs.size() != 2) throw_usage(tool, fmt::format("takes one input and one output, got {} arguments", inputs.size()), fmt::format("tenon climate {} IN OUT", tool));
  if (params.boolean("classic") && params.given("deflate") && params.integer("deflate") > 0)
    throw_usage(tool, fmt::format("--deflate {} and --classic exclude each other: classic files are not compressed", params.integer("deflate")), "leave out one of them");
  const std::filesystem::path in = inputs[0], out = inputs[1];
  std::error_code failed;
  if (std::filesystem::equivalent(in, out, failed)) throw Error(ErrorKind::usage, "climate.exists", "input and output are one file", "give another name for the output", out.string());
  if (!params.boolean("overwrite") && file_exists(out)) throw Error(ErrorKind::usage, "climate.exists", "the output is there already", "give another name, or --overwrite", out.string());
  return {in, out};
}

Provenance::Provenance(std::filesystem::path input) : input_(std::move(input)), digest_(std::async(std::launch::async, [path = input_] { return sha256_of_file(path); })) {}

std::string Provenance::text() { return fmt::format("tenon {}; input {} sha256 {}", TENON_VERSION, input_.filename().string(), digest_.get()); }

void write_output(const std::filesystem::path& out, LabelledArray array, const NetcdfFile& source, Provenance& provenance, const ParamValues& params, const std::string& done,
                  ToolContext& context) {
  Dataset data;
  for (const auto& a : source.header().attributes) {
    if (a.name.find('/') != std::string::npos) continue;
    keep_attribute(a, data.attributes, data.numbers);
  }
  data.attributes["provenance"] = provenance.text();
  const std::string line = one_line(array), name = array.name;
  data.variables.push_back(std::move(array));
  stop_if_asked(context);
  write_netcdf(out, data, {.classic = params.boolean("classic"), .deflate = int(params.integer("deflate")), .history = "tenon climate " + done + " " + source.path().filename().string(),
                           .note = [&](const std::string& text) { context.status("note: " + out.string() + ": " + text); },
                           .between = [&] { stop_if_asked(context); }});
  if (context.json()) context.print(json_text(nlohmann::json{{"input", source.path().string()}, {"output", out.string()}, {"variable", name}, {"shape", line}}));
  else context.print(fmt::format("{}: {} {}", out.string(), name, line));
}

std::pair<std::int64_t, std::int64_t> parse_period(const std::string& text, Calendar calendar, const char* option) {
  const std::size_t slash = text.find('/');
  const std::string hint = fmt::format("write it like --{} 2001/2006 or --{} 2001-03-01/2001-05-31", option, option);
  if (slash == std::string::npos) throw_usage(option, "'" + text + "' is no period", hint);
  const std::string first = text.substr(0, slash), last = text.substr(slash + 1);
  try {
    const std::int64_t begin = parse_moment(first, calendar);
    Date end;
    std::int64_t until = parse_moment(last, calendar, &end);
    // A year, month or day as the end means all of it.
    const auto dashes = std::count(last.begin() + (last.empty() ? 0 : 1), last.end(), '-');
    if (last.find(':') == std::string::npos && last.find('T') == std::string::npos) {
      if (dashes == 0 && last.size() < 8) until = days_from_date(calendar, end.year + 1, 1, 1) * kTicksPerDay;
      else if (dashes == 1) until = days_from_date(calendar, end.month == 12 ? end.year + 1 : end.year, end.month == 12 ? 1 : end.month + 1, 1) * kTicksPerDay;
      else until += kTicksPerDay;
      --until;
    }
    if (until < begin) throw_usage(option, "'" + text + "' ends before it begins", hint);
    return {begin, until};
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::usage) throw;
    throw Error(ErrorKind::usage, "usage." + std::string(option), fmt::format("{}: '{}': {}", option, text, e.message()), hint);
  }
}

std::vector<std::int64_t> within(const Axis& time, std::pair<std::int64_t, std::int64_t> period) {
  std::vector<std::int64_t> out;
  for (std::size_t i = 0; i < time.time->ticks.size(); ++i)
    if (time.time->ticks[i] >= period.first && time.time->ticks[i] <= period.second) out.push_back(std::int64_t(i));
  return out;
}

namespace {

template <class T> void take(std::vector<T>& values, const std::vector<std::int64_t>& order) {
  if (values.empty()) return;
  std::vector<T> out;
  for (auto i : order) out.push_back(values[std::size_t(i)]);
  values = std::move(out);
}

bool in_order(const std::vector<std::int64_t>& order) {
  for (std::size_t i = 1; i < order.size(); ++i)
    if (order[i] != order[i - 1] + 1) return false;
  return !order.empty();
}

}  // namespace

LabelledArray taken(const LabelledArray& array, int axis, const std::vector<std::int64_t>& order) {
  LabelledArray out = array;
  Axis& a = out.axes[std::size_t(axis)];
  take(a.coordinates, order);
  take(a.bounds, order);
  take(a.labels, order);
  if (a.time) {
    take(a.time->ticks, order);
    take(a.time->bounds, order);
  }
  out.values = in_order(order) ? array.values.narrow(axis, order[0], std::int64_t(order.size())) : index_select(array.values, axis, Tensor::from(order, {std::int64_t(order.size())}));
  for (auto& extra : out.auxiliary) {
    for (std::size_t k = 0; k < extra.axes.size(); ++k)
      if (extra.axes[k].name == a.name) extra = taken(extra, int(k), order);
  }
  return out;
}

std::string one_line(const LabelledArray& array) {
  std::string out;
  for (int k = 0; k < array.values.rank(); ++k) out += fmt::format("{}{} {}", k ? " x " : "", array.values.size(k), array.axes[std::size_t(k)].name);
  return out + fmt::format("{}{}", out.empty() ? "" : ", ", tenon::name_of(array.values.dtype()));
}

}  // namespace tenon::climate
