#include "finance/tools/common.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "finance/io/datetime.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

namespace tenon::finance {
namespace {

CellType type_named(const std::string& name) {
  const std::vector<std::string> known = {"integer", "real", "boolean", "date", "time", "text"};
  for (std::size_t i = 0; i < known.size(); ++i)
    if (name == known[i]) return CellType(i);
  throw Error(ErrorKind::usage, "command.bad_value", fmt::format("--types: there is no type '{}'", name), suggestion(name, known));
}

constexpr double kLargest = 1e100;  ///< sums of fourth powers stay far inside a double
constexpr const char* kTurned = "the newest row comes first";  ///< the panel tells it in its own words

std::int64_t time_given(const std::string& text, const char* option, bool end) {
  DateParts parts;
  if (split_date(text, parts) != DateForm::iso) throw Error(ErrorKind::usage, "command.bad_value", fmt::format("{}: '{}' is no date", option, text), "write it 2003-01-31, or with a time 2003-01-31T14:30:00");
  if (!is_year_of_times(parts.year)) throw Error(ErrorKind::usage, "command.bad_value", fmt::format("{}: '{}' is outside the years 1678 to 2261 that times hold", option, text), "give a day of the file, or leave the option out");
  std::int64_t t = days_from_civil(parts.year, parts.month, parts.day) * kNsPerDay + parts.ns - parts.offset_s * kNsPerSecond;
  return end && !parts.has_time ? t + kNsPerDay - 1 : t;
}

}  // namespace

void add_csv_params(ParamSpec& spec) {
  spec.add(text_param("delimiter", "auto", "what separates cells", {"auto", "comma", "semicolon", "tab", "bar"}));
  spec.add(text_param("header", "auto", "whether the first record holds names", {"auto", "yes", "no"}));
  spec.add(texts_param("missing", {"", "NA", "."}, "cells that mean 'no value'; the empty cell is always one"));
  spec.add(texts_param("types", {}, "declared types, NAME=integer|real|boolean|date|time|text; the rest is found"));
  spec.add(text_param("date_order", "auto", "of dates such as 3/4/2005, where the file does not tell", {"auto", "day", "month"}));
  spec.add(text_param("date_format", "", "form of columns declared date or time: %Y %m %d %b %y %H %M %S %z and text, for example %Y%m%d"));
  spec.add(text_param("epoch", "none", "unit of whole numbers since 1970 in columns declared time", {"none", "s", "ms", "us", "ns"}));
  spec.add(text_param("zone", "UTC", "tz database name of the zone of times without an offset"));
  spec.add(text_param("clock_change", "error", "local times that a change of clocks skips or repeats", {"error", "earlier", "later"}));
  spec.add(boolean_param("allow_denormal", false, "take denormal numbers"));
}

CsvOptions csv_options(const ParamValues& params) {
  CsvOptions o;
  const std::string& d = params.text("delimiter");
  o.delimiter = d == "comma" ? ',' : d == "semicolon" ? ';' : d == "tab" ? '\t' : d == "bar" ? '|' : 0;
  if (params.text("header") != "auto") o.header = params.text("header") == "yes";
  o.missing = params.texts("missing");
  if (std::find(o.missing.begin(), o.missing.end(), "") == o.missing.end()) o.missing.insert(o.missing.begin(), "");
  for (const auto& t : params.texts("types")) {
    const auto equals = t.rfind('=');
    if (equals == t.npos) throw Error(ErrorKind::usage, "command.bad_value", fmt::format("--types: '{}' has no '='", t), "write NAME=TYPE, for example Date=date");
    o.types[t.substr(0, equals)] = type_named(t.substr(equals + 1));
  }
  const std::string& order = params.text("date_order");
  o.date_order = order == "day" ? DateOrder::day_first : order == "month" ? DateOrder::month_first : DateOrder::found;
  o.date_format = params.text("date_format");
  const std::string& epoch = params.text("epoch");
  o.epoch = epoch == "s" ? EpochUnit::s : epoch == "ms" ? EpochUnit::ms : epoch == "us" ? EpochUnit::us : epoch == "ns" ? EpochUnit::ns : EpochUnit::none;
  o.zone = params.text("zone");
  const std::string& change = params.text("clock_change");
  o.clock_change = change == "earlier" ? ClockChange::earlier : change == "later" ? ClockChange::later : ClockChange::error;
  o.allow_denormal = params.boolean("allow_denormal");
  return o;
}

void add_market_params(ParamSpec& spec) {
  spec.add(boolean_param("market", true, "check what prices must hold: order of open, high, low and close, signs, jumps of a split's ratio, order of times"));
  spec.add(texts_param("splits", {}, "declared splits, DATE=RATIO, for example 2014-06-09=7; ratio 1 for a true move"));
}

MarketRules market_rules(const ParamValues& params) {
  if (!params.boolean("market")) {
    for (const char* option : {"splits", "negative_prices", "series"})
      if (params.given(option)) throw Error(ErrorKind::usage, "command.conflict", fmt::format("--no-market switches off the check that --{} is for", option == std::string("negative_prices") ? "negative-prices" : option), "leave one of them out");
  }
  MarketRules rules;
  rules.splits = params.texts("splits");
  if (params.has("negative_prices")) rules.allow_negative_prices = params.boolean("negative_prices");
  if (params.has("series")) rules.symbol = params.text("series");
  return rules;
}

void add_series_params(ParamSpec& spec) {
  spec.add(text_param("column", "", "the column of prices or returns; default: the only one of numbers"));
  spec.add(text_param("returns", "simple", "what to make of it: simple P_t/P_(t-1) - 1, log returns, or 'given' when it holds returns", {"simple", "log", "given"}));
  spec.add(real_param("scale", 100, "factor on the returns made from prices: 100 gives per cent", 1e-9, 1e9));
  spec.add(boolean_param("drop_missing", false, "drop rows without a value, so that returns span the gap"));
  spec.add(text_param("begin", "", "first day of the returns used, 2003-01-31"));
  spec.add(text_param("end", "", "last day of the returns used"));
  add_market_params(spec);
  add_csv_params(spec);
}

ReturnSeries read_returns(const std::vector<std::string>& inputs, const ParamValues& params, const char* tool) {
  if (inputs.size() != 1) throw_usage(tool, fmt::format("takes one CSV file, got {} arguments", inputs.size()), fmt::format("tenon finance {} FILE --column NAME", tool));
  const bool prices = params.text("returns") != "given", log_returns = params.text("returns") == "log";
  MarketRules rules = market_rules(params);
  if (!prices) {
    for (const char* option : {"scale", "splits"})
      if (params.given(option)) throw Error(ErrorKind::usage, "command.conflict", fmt::format("--{} is for returns made from prices, and --returns given takes them as they are", option), "leave one of them out");
  }
  const Table table = read_csv(inputs[0], csv_options(params));
  std::string name = params.text("column");
  if (name.empty()) {
    std::vector<std::string> numbers;
    for (const Column& c : table.columns)
      if (c.is_number()) numbers.push_back(c.name);
    if (numbers.empty()) throw Error(ErrorKind::data, "finance.no_number_column", "no column holds numbers", "declare types, or give another file", inputs[0]);
    if (numbers.size() != 1) {
      std::string all;
      for (const auto& n : numbers) all += (all.empty() ? "" : ", ") + n;
      throw Error(ErrorKind::usage, "finance.column", fmt::format("{} columns hold numbers: {}", numbers.size(), all), "choose one: --column NAME", inputs[0]);
    }
    name = numbers[0];
  }
  const Column& column = table.at(name);
  if (!column.is_number()) throw Error(ErrorKind::data, "finance.column_type", fmt::format("column '{}' holds {}s where numbers are needed", name, finance::name_of(column.type)), "name another column", inputs[0]);
  const Panel panel = panel_of(table, {name}, false);
  ReturnSeries out;
  out.file = inputs[0];
  out.column = name;
  out.has_calendar = panel.has_calendar;
  out.notes = table.notes;
  out.notes.insert(out.notes.end(), panel.notes.begin(), panel.notes.end());
  const auto row_of = [&](std::int64_t row) { return panel.turned ? table.rows - 1 - row : row; };
  const auto line = [&](std::int64_t row) { return table.line_of(row_of(row)); };
  std::map<std::int64_t, double> splits;
  if (prices && params.boolean("market")) {
    rules.price = name;
    const MarketFindings market = examine_market(table, rules);
    for (const auto& warning : market.warnings)
      if (std::find(out.notes.begin(), out.notes.end(), warning) == out.notes.end() && warning != kTurned) out.notes.push_back(warning);
    for (const auto& [row, ratio] : market.splits) {
      splits[row] = ratio;
      out.notes.push_back(fmt::format("the split of {} at {} is taken out of the returns", ratio, time_text(panel.times[std::size_t(row_of(row))])));
    }
  }
  double shares = 1;  // that one of the first row has become
  std::vector<double> x;
  std::vector<std::int64_t> times;
  for (std::int64_t t = 0; t < panel.rows(); ++t) {
    const double v = panel.at(t, 0);
    if (auto split = splits.find(row_of(t)); split != splits.end()) shares *= split->second;
    if (std::isnan(v)) {
      if (!params.boolean("drop_missing")) {
        throw Error(ErrorKind::data, "finance.missing", fmt::format("column '{}' has no value here; {} rows have none", name, column.missing), "drop such rows with --drop-missing", fmt::format("{}:{}", inputs[0], line(t)));
      }
      ++out.dropped;
      continue;
    }
    if (prices && !(v > 0)) {
      throw Error(ErrorKind::data, "finance.price", fmt::format("column '{}' holds the price {}: a return from it has no meaning", name, v), "does the column hold returns? say --returns given", fmt::format("{}:{}", inputs[0], line(t)));
    }
    if (std::abs(v) > kLargest) {
      throw Error(ErrorKind::data, "finance.magnitude", fmt::format("column '{}' holds {}, too large to be squared", name, v), "correct the cell, or give the column in another unit", fmt::format("{}:{}", inputs[0], line(t)));
    }
    x.push_back(v * shares);
    times.push_back(panel.times[std::size_t(t)]);
  }
  const double scale = params.real("scale");
  if (!prices) {
    out.values = std::move(x);
    out.times = std::move(times);
    return out;
  }
  const auto r = returns_of(x, log_returns ? ReturnKind::log : ReturnKind::simple);
  for (std::size_t t = 1; t < r.size(); ++t) {
    out.values.push_back(scale * r[t]);
    out.times.push_back(times[t]);
  }
  return out;
}

std::pair<std::int64_t, std::int64_t> chosen_rows(const ReturnSeries& s, const ParamValues& params) {
  const std::string &begin = params.text("begin"), &end = params.text("end");
  std::int64_t from = 0, to = std::int64_t(s.times.size());
  if ((!begin.empty() || !end.empty()) && !s.has_calendar) {
    throw Error(ErrorKind::usage, "finance.no_time_column", "--begin and --end need a column of dates, and the file has none", "declare one: --types NAME=date with --date-format", s.file);
  }
  if (!begin.empty()) from = std::lower_bound(s.times.begin(), s.times.end(), time_given(begin, "--begin", false)) - s.times.begin();
  if (!end.empty()) to = std::upper_bound(s.times.begin(), s.times.end(), time_given(end, "--end", true)) - s.times.begin();
  if (from >= to) {
    const std::string span = s.times.empty() ? "no returns" : fmt::format("returns from {} to {}", s.has_calendar ? time_text(s.times.front()) : "row 1", s.has_calendar ? time_text(s.times.back()) : fmt::format("row {}", s.times.size()));
    throw Error(ErrorKind::usage, "finance.window", fmt::format("no return lies between --begin {} and --end {}", begin, end), "the file has " + span, s.file);
  }
  return {from, to};
}

Json conventions_of(const ParamValues& params) {
  const std::string& kind = params.text("returns");
  Json c;
  c["returns"] = kind;
  if (kind != "given") c["scale"] = params.real("scale");
  return c;
}

std::string one_line(const Json& conventions) {
  std::string out;
  for (const auto& [key, value] : conventions.items()) {
    std::string name = key;
    std::replace(name.begin(), name.end(), '_', ' ');
    out += (out.empty() ? "" : "; ") + name + " " + (value.is_string() ? value.get<std::string>() : value.dump());
  }
  return out;
}

void add_output_params(ParamSpec& spec, const char* help) {
  spec.add(path_param("output", "", help));
  spec.add(boolean_param("overwrite", false, "replace an output that is there already"));
}

void require_output_free(const ParamValues& params, const std::vector<std::string>& inputs) {
  const std::string& out = params.text("output");
  if (out.empty()) {
    if (params.given("output")) throw Error(ErrorKind::usage, "finance.output", "--output names no file", "give the name of a file, or leave the option out");
    return;
  }
  const std::filesystem::path path(out), folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  std::error_code failed;
  if (!std::filesystem::is_directory(folder, failed)) throw Error(ErrorKind::usage, "finance.output", "there is no folder " + folder.string(), "make it first, or name another", out);
  if (std::filesystem::is_directory(path, failed)) throw Error(ErrorKind::usage, "finance.output", "the output is a folder", "give the name of a file", out);
  for (const auto& input : inputs)
    if (std::filesystem::equivalent(path, input, failed)) throw Error(ErrorKind::usage, "finance.output", "the output is the input " + input, "give another name", out);
  if (!params.boolean("overwrite") && file_exists(out)) throw Error(ErrorKind::usage, "finance.exists", "the output is there already", "give another name, or --overwrite", out);
}

std::string write_output(const ParamValues& params, const std::string& text) {
  const std::string& out = params.text("output");
  if (!out.empty()) write_atomic(out, text);
  return out;
}

std::string table_text(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> width;
  for (const auto& row : rows) {
    if (width.size() < row.size()) width.resize(row.size());
    for (std::size_t c = 0; c < row.size(); ++c) width[c] = std::max(width[c], row[c].size());
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) line += c == 0 ? fmt::format("{:<{}}", row[c], width[c]) : fmt::format("  {:>{}}", row[c], width[c]);
    line.erase(line.find_last_not_of(' ') + 1);
    out += (out.empty() ? "" : "\n") + line;
  }
  return out;
}

std::string number_text(double value, int digits) { return std::isnan(value) ? "-" : fmt::format("{:.{}g}", value, digits); }

Json json_number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

}  // namespace tenon::finance
