#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "climate/io/unpack.hpp"
#include "climate/tools/common.hpp"
#include "climate/tools/statistics.hpp"
#include "climate/tools/tools.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/utf8.hpp"

namespace tenon::climate {
namespace {

using Json = nlohmann::json;

/// Whole numbers beyond 2^53 as text, for JSON readers hold numbers in doubles.
Json whole(std::uint64_t value, bool negative) {
  const std::string text = (negative ? "-" : "") + std::to_string(value);
  if (value <= (std::uint64_t(1) << 53)) return negative ? Json(-std::int64_t(value)) : Json(value);
  return text;
}

/// Extremes of stored 64-bit whole numbers, exactly: doubles would round them.
template <class T> void exact_extremes(const NetcdfFile& file, const Variable& v, Json& out) {
  const auto shape = file.shape(v);
  std::int64_t n = 1;
  for (auto s : shape) n *= s;
  if (n == 0) return;
  std::vector<T> raw(static_cast<std::size_t>(n));
  file.read(v, std::vector<std::int64_t>(shape.size(), 0), shape, raw.data());
  const auto [low, high] = std::minmax_element(raw.begin(), raw.end());
  auto put = [](T x) { return x < 0 ? whole(std::uint64_t(-(x + 1)) + 1, true) : whole(std::uint64_t(x), false); };
  out["minimum"] = put(*low);
  out["maximum"] = put(*high);
}

Json number(double x) { return std::isfinite(x) ? Json(x) : Json(nullptr); }

std::string spacing_text(const Axis& a) {
  const auto& x = a.coordinates;
  if (x.size() < 2) return {};
  const double step = (x.back() - x.front()) / double(x.size() - 1);
  for (std::size_t i = 1; i < x.size(); ++i)
    if (std::abs(x[i] - x[i - 1] - step) > 1e-4 * std::abs(step)) return ", uneven";
  return fmt::format(" by {:.6g}", step);
}

/// How far apart times lie: "daily", "monthly", "6-hourly"; and gaps in a regular series.
std::string time_step(const Axis& a, std::vector<std::string>& notes) {
  const auto& t = a.time->ticks;
  if (t.size() < 2) return {};
  std::vector<std::int64_t> steps;
  for (std::size_t i = 1; i < t.size(); ++i) steps.push_back(t[i] - t[i - 1]);
  auto sorted = steps;
  std::sort(sorted.begin(), sorted.end());
  const double days = double(sorted[sorted.size() / 2]) / double(kTicksPerDay);
  const bool monthly = days > 27.5 && days < 31.5, yearly = days > 359 && days < 367;
  if (!monthly && !yearly) {
    // The commonest step is the rule; more than it is a gap.
    const std::int64_t rule = sorted[sorted.size() / 2];
    const Calendar calendar = calendar_from_name(a.time->calendar);
    std::int64_t gaps = 0;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (steps[i] * 2 <= rule * 3) continue;
      if (gaps++ == 0) notes.push_back(fmt::format("'{}' has a gap: {} is followed by {}, {:.6g} steps on", a.name, date_text(calendar, t[i]), date_text(calendar, t[i + 1]), double(steps[i]) / double(rule)));
    }
    if (gaps > 1) notes.push_back(fmt::format("'{}' has {} gaps in all", a.name, gaps));
  }
  if (monthly) return "monthly";
  if (yearly) return "yearly";
  if (days == 1) return "daily";
  if (days < 1 && days > 0) return fmt::format("every {:.6g} hours", days * 24);
  return fmt::format("every {:.6g} days", days);
}

class Description {
 public:
  Description(const std::filesystem::path& path, const ParamValues& params) : path_(path), params_(params), file_(open_netcdf(path, {params.boolean("whole_records")})) {
    notes_ = file_->header().notes;
  }

  Json json() {
    Json out = {{"file", path_.string()}, {"format", file_->header().kind}, {"bytes", files().stat(path_)->size}};
    Json dims = Json::object();
    for (const auto& d : file_->header().dimensions) dims[d.name] = d.size;
    out["dimensions"] = dims;
    out["attributes"] = Json::object();
    for (const auto& a : file_->header().attributes) out["attributes"][a.name] = attribute(a);
    out["variables"] = Json::array();
    const std::string& only = params_.text("variable");
    for (const auto& name : data_variables(*file_))
      if (only.empty() || only == name) out["variables"].push_back(variable(*file_->find(name)));
    if (!only.empty() && out["variables"].empty()) out["variables"].push_back(variable(file_->variable(only)));
    out["axes"] = axes_;
    out["notes"] = notes_;
    out["problems"] = Json::array();
    for (const auto& p : problems_) out["problems"].push_back({{"code", p.code()}, {"message", p.message()}, {"hint", p.hint()}});
    return out;
  }
  const std::vector<Error>& problems() const noexcept { return problems_; }

 private:
  static Json attribute(const Attribute& a) {
    if (a.is_text()) return a.type == NcType::string && a.texts.size() > 1 ? Json(a.texts) : Json(a.text());
    if (a.type == NcType::unsupported) return fmt::format("({}: not text nor numbers)", a.type_name);
    if (!a.integers.empty()) return a.integers.size() == 1 ? Json(a.integers[0]) : Json(a.integers);
    return a.numbers.size() == 1 ? number(a.numbers[0]) : Json(a.numbers);
  }

  void note(const std::string& text) {
    if (std::find(notes_.begin(), notes_.end(), text) == notes_.end()) notes_.push_back(text);
  }
  void problem(const Error& e) {
    for (const auto& p : problems_)
      if (p.message() == e.message()) return;
    problems_.push_back(e.at(path_.string()));
  }

  Json variable(const Variable& v) {
    std::vector<std::string> dims;
    for (auto d : v.dimensions) dims.push_back(file_->header().dimensions[d].name);
    Json out = {{"name", v.name}, {"type", v.type == NcType::unsupported || !v.type_name.empty() ? v.type_name : std::string(name_of(v.type))}, {"dimensions", dims}, {"shape", file_->shape(v)}, {"units", v.text("units")}};
    Json attributes = Json::object();
    for (const auto& a : v.attributes) {
      attributes[a.name] = attribute(a);
      if (a.type == NcType::unsupported) note(fmt::format("attribute '{}' of '{}' is of a {} type: not text nor numbers, not read", a.name, v.name, a.type_name));
    }
    out["attributes"] = attributes;
    if (v.type == NcType::unsupported) {
      out["unsupported"] = true;
      note(fmt::format("variable '{}' is of type {}, which is not read", v.name, v.type_name));
      return out;
    }
    if (v.type == NcType::string || v.type == NcType::character) {
      const auto texts = file_->read_texts(v);
      out["texts"] = std::vector<std::string>(texts.begin(), texts.begin() + std::min<std::ptrdiff_t>(std::ptrdiff_t(texts.size()), 100));
      return out;
    }
    for (const auto& [name, value] : v.members) out["flags"][name] = value;
    values(v, out);
    return out;
  }

  void values(const Variable& v, Json& out) {
    ReadOptions options;
    options.coordinates.time = {params_.text("months"), params_.text("time_format"), params_.text("time_order")};
    options.coordinates.latitude = params_.text("latitude");
    options.coordinates.longitude = params_.text("longitude");
    options.mask_values = params_.reals("mask");
    options.note = [this](const std::string& text) { note(text); };
    std::optional<LabelledArray> array;
    try {
      array = read_variable(*file_, v.name, options);
      for (const auto& a : array->axes) axis(a);
    } catch (const Error& e) {
      problem(e);
    }
    try {
      Tensor values;
      if (array) {
        values = array->values;
      } else {  // its axes are broken: the values may be well
        const auto shape = file_->shape(v);
        values = read_values(*file_, v, Packing(v, options.mask_values), std::vector<std::int64_t>(shape.size(), 0), shape).values;
      }
      const Statistics s = statistics_of(values);
      out["missing"] = s.missing;
      out["infinite"] = s.infinite;
      out["minimum"] = number(s.minimum);
      out["maximum"] = number(s.maximum);
      out["mean"] = number(s.mean);
      if (v.type == NcType::uint64 && !v.find("scale_factor") && !v.find("add_offset") && s.missing == 0) exact_extremes<std::uint64_t>(*file_, v, out);
      if (v.type == NcType::int64 && values.dtype() == DType::i64) exact_extremes<std::int64_t>(*file_, v, out);
      if (s.values == 0) note(fmt::format("'{}' has no values (shape with a 0)", v.name));
      else if (s.missing == s.values) note(fmt::format("'{}': every value is missing", v.name));
      if (s.infinite > 0) note(fmt::format("'{}' holds {} infinite values; minimum, mean and maximum are of the finite ones; --mask inf,-inf takes them as missing", v.name, s.infinite));
      for (const auto& [value, count] : s.suspects) {
        note(fmt::format("'{}' holds {} {} times, far from all other values: undeclared missing values? --mask {} masks them", v.name, value, count, value));
        out["suspects"].push_back({{"value", value}, {"count", count}});
      }
      undeclared(v, s);
    } catch (const Error& e) {
      problem(e);
    }
  }

  /// Values masked as the type's default fill though the file does not say so.
  void undeclared(const Variable& v, const Statistics& s) {
    if (s.missing == 0 || v.find("_FillValue") || v.find("missing_value")) return;
    if (v.find("valid_range") || v.find("valid_min") || v.find("valid_max") || !params_.reals("mask").empty()) return;
    note(fmt::format("'{}': {} values are NaN or the default fill of {}; taken as missing", v.name, s.missing, name_of(v.type)));
  }

  void axis(const Axis& a) {
    if (axes_.contains(a.name)) return;
    Json out = {{"size", a.time ? a.time->ticks.size() : a.coordinates.size()}, {"units", a.unit}, {"role", name_of(role_of(a))}, {"bounds", !a.bounds.empty()}};
    if (a.time) {
      const Calendar calendar = calendar_from_name(a.time->calendar);
      out["calendar"] = a.time->calendar;
      if (!a.time->ticks.empty()) {
        out["first"] = date_text(calendar, a.time->ticks.front());
        out["last"] = date_text(calendar, a.time->ticks.back());
      }
      std::vector<std::string> gaps;
      if (const std::string step = time_step(a, gaps); !step.empty()) out["step"] = step;
      for (const auto& g : gaps) note(g);
    } else if (!a.coordinates.empty()) {
      out["first"] = a.coordinates.front();
      out["last"] = a.coordinates.back();
      out["spacing"] = spacing_text(a);
    } else if (!a.labels.empty()) {
      out["labels"] = a.labels;
    } else {
      out["size"] = nullptr;
    }
    axes_[a.name] = out;
    try {
      check_bounds(a, role_of(a), [this](const std::string& text) { note(text); });
    } catch (const Error& e) {
      problem(e);
    }
  }

  std::filesystem::path path_;
  const ParamValues& params_;
  std::unique_ptr<NetcdfFile> file_;
  std::vector<std::string> notes_;
  std::vector<Error> problems_;
  Json axes_ = Json::object();
};

std::string value_text(const Json& j) { return j.is_null() ? "none" : j.is_string() ? j.get<std::string>() : j.is_number_float() ? fmt::format("{:.7g}", j.get<double>()) : j.dump(); }

void print(const Json& d, ToolContext& context) {
  context.print(fmt::format("{}: {}, {} bytes", d["file"].get<std::string>(), d["format"].get<std::string>(), d["bytes"].get<std::uint64_t>()));
  for (const auto& [name, a] : d["axes"].items()) {
    std::string line = fmt::format("  axis {:<10}", name);
    if (a["size"].is_null()) line += fmt::format(" {} positions without coordinates", d["dimensions"].value(name, 0));
    else if (a.contains("labels")) line += fmt::format(" {} names", a["labels"].size());
    else if (a.contains("calendar")) {
      line += fmt::format(" {} times", a["size"].get<std::size_t>());
      if (a.contains("first")) line += fmt::format(", {} to {}", a["first"].get<std::string>(), a["last"].get<std::string>());
      if (a.contains("step")) line += ", " + a["step"].get<std::string>();
      line += ", calendar " + a["calendar"].get<std::string>();
    } else if (a.contains("first")) {
      line += fmt::format(" {} from {:.6g} to {:.6g}{} {}", a["size"].get<std::size_t>(), a["first"].get<double>(), a["last"].get<double>(), a["spacing"].get<std::string>(), a["units"].get<std::string>());
      if (a["role"] != "other") line += fmt::format(" ({})", a["role"].get<std::string>());
    } else {
      line += " 0 positions";
    }
    context.print(line + (a["bounds"].get<bool>() ? ", with bounds" : ""));
  }
  for (const auto& v : d["variables"]) {
    std::string shape;
    for (std::size_t k = 0; k < v["dimensions"].size(); ++k) shape += fmt::format("{}{} {}", k ? " x " : "", v["shape"][k].get<std::int64_t>(), v["dimensions"][k].get<std::string>());
    const auto& attributes = v["attributes"];
    std::string title = attributes.contains("long_name") && attributes["long_name"].is_string() ? "  \"" + attributes["long_name"].get<std::string>() + "\"" : "";
    context.print(fmt::format("  {}  [{}]  {}{}{}{}", v["name"].get<std::string>(), shape.empty() ? "scalar" : shape, v["type"].get<std::string>(), v["units"].get<std::string>().empty() ? "" : "  ",
                              v["units"].get<std::string>(), title));
    if (v.contains("missing")) {
      const auto infinite = v["infinite"].get<std::int64_t>();
      context.print(fmt::format("      missing {}{}, minimum {}, mean {}, maximum {}", v["missing"].get<std::int64_t>(), infinite ? fmt::format(", infinite {}", infinite) : "", value_text(v["minimum"]), value_text(v["mean"]), value_text(v["maximum"])));
    }
    if (v.contains("texts")) {
      std::string list;
      for (const auto& t : v["texts"]) list += (list.empty() ? "" : ", ") + t.get<std::string>();
      context.print("      " + list.substr(0, 200));
    }
  }
  for (const auto& n : d["notes"]) context.print("  note: " + n.get<std::string>());
}

int run(const std::vector<std::string>& inputs, const ParamValues& params, ToolContext& context) {
  if (inputs.empty()) throw_usage("info", "takes at least one file", "tenon climate info FILE...");
  Json all = Json::array();
  std::optional<Error> first;
  for (const auto& input : inputs) {
    Description description(input, params);
    Json d = description.json();
    if (!context.json()) print(d, context);
    all.push_back(std::move(d));
    for (const auto& p : description.problems()) {
      // The first ends the command; the others would be lost.
      if (first) context.status(fmt::format("problem: {}: {} [{}]", p.where(), p.message(), p.code()));
      else first = p;
    }
  }
  if (context.json()) context.print(json_text(all));
  if (first) throw *first;
  return 0;
}

}  // namespace

ToolEntry info_tool() {
  return {"info", "dimensions, axes, calendar and values of NetCDF files, with what is odd in them", "FILE...", reading_params(), run};
}

}  // namespace tenon::climate
