#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "finance/io/market.hpp"
#include "finance/tools/common.hpp"
#include "finance/tools/tools.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/utf8.hpp"

namespace tenon::finance {
namespace {

Json described(const Table& table) {
  Json columns = Json::array();
  for (const Column& c : table.columns) {
    Json d{{"name", c.name}, {"type", finance::name_of(c.type)}, {"missing", c.missing}};
    if (c.is_number() || c.is_time()) {
      double low = NAN, high = NAN;
      std::int64_t first = INT64_MAX, last = kMissing;
      for (std::int64_t r = 0; r < table.rows; ++r) {
        if (c.is_missing(r)) continue;
        if (c.type == CellType::real) {
          const double v = c.reals[std::size_t(r)];
          low = std::isnan(low) ? v : std::min(low, v);
          high = std::isnan(high) ? v : std::max(high, v);
        } else {
          first = std::min(first, c.integers[std::size_t(r)]);
          last = std::max(last, c.integers[std::size_t(r)]);
        }
      }
      const bool none = c.missing == table.rows;
      d["minimum"] = none ? Json() : c.is_time() ? Json(time_text(first)) : c.type == CellType::real ? Json(low) : Json(first);
      d["maximum"] = none ? Json() : c.is_time() ? Json(time_text(last)) : c.type == CellType::real ? Json(high) : Json(last);
    }
    columns.push_back(std::move(d));
  }
  return {{"file", table.source}, {"rows", table.rows}, {"columns", columns}, {"notes", table.notes}};
}

std::string cell(const Json& d, const char* key) {
  if (!d.contains(key) || d[key].is_null()) return "-";
  return d[key].is_string() ? d[key].get<std::string>() : d[key].is_number_float() ? number_text(d[key].get<double>(), 8) : d[key].dump();
}

int run(const std::vector<std::string>& inputs, const ParamValues& params, ToolContext& context) {
  if (inputs.empty()) throw_usage("check", "takes at least one CSV file", "tenon finance check FILE...");
  const MarketRules rules = market_rules(params);
  Json all = Json::array();
  for (const auto& input : inputs) {
    const auto begin = std::chrono::steady_clock::now();
    Table table = read_csv(input, csv_options(params));
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const auto info = files().stat(input);
    const auto warnings = params.boolean("market") ? check_market(table, rules) : std::vector<std::string>{};
    Json d = described(table);
    d["warnings"] = warnings;
    d["seconds"] = seconds;
    if (info && seconds > 0) d["megabytes_per_second"] = 1e-6 * double(info->size) / seconds;
    if (context.json()) {
      all.push_back(std::move(d));
      continue;
    }
    context.print(fmt::format("{}: {} rows, {} columns", input, table.rows, table.columns.size()));
    std::vector<std::vector<std::string>> rows = {{"  column", "type", "missing", "minimum", "maximum"}};
    for (const Json& c : d["columns"]) rows.push_back({"  " + c["name"].get<std::string>(), cell(c, "type"), cell(c, "missing"), cell(c, "minimum"), cell(c, "maximum")});
    context.print(table_text(rows));
    for (const auto& note : table.notes) context.print("  note: " + note);
    for (const auto& warning : warnings) context.print("  warning: " + warning);
  }
  if (context.json()) context.print(json_text(all));
  return 0;
}

}  // namespace

ToolEntry check_tool() {
  ParamSpec spec = {boolean_param("negative_prices", false, "the instrument may trade at or below zero"),
                    text_param("series", "", "column that tells several series in one file apart, for example Symbol")};
  add_market_params(spec);
  add_csv_params(spec);
  return {"check", "read CSV files strictly and say what they hold; the first defect is an error with file, line and column", "FILE...", spec, run};
}

}  // namespace tenon::finance
