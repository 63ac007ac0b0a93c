/// What the tools share: how a CSV is read, which series is taken from it, the conventions printed beside every ratio, and output files.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "finance/io/csv.hpp"
#include "finance/io/market.hpp"
#include "finance/panel/panel.hpp"
#include "tenon/plugin.hpp"

namespace tenon::finance {

using Json = nlohmann::ordered_json;

/// --delimiter, --header, --missing, --types, --date-order, --date-format, --epoch, --zone, --clock-change, --allow-denormal.
void add_csv_params(ParamSpec& spec);
CsvOptions csv_options(const ParamValues& params);

/// --market and --splits; the rules that they make. Options of a check that --no-market switches off are refused.
void add_market_params(ParamSpec& spec);
MarketRules market_rules(const ParamValues& params);

/// --market, --splits, --column, --returns, --scale, --drop-missing, --begin, --end.
void add_series_params(ParamSpec& spec);

/// One series of returns with the time of each: row t is the return from price t - 1 to price t.
struct ReturnSeries {
  std::string file, column;
  std::vector<std::int64_t> times;  ///< ns UTC, or row numbers of the file's data (from 0) without a calendar
  bool has_calendar = false;
  std::vector<double> values;
  std::int64_t dropped = 0;  ///< rows without a value
  std::vector<std::string> notes;
};
/// Reads one file. Prices are held to check_market first, and the jumps of declared splits taken out of the returns. Rows without a value are an error finance.missing that names the line, or dropped when told; prices must be positive
/// (finance.price). All rows are given; chosen_rows says which of them the user named.
ReturnSeries read_returns(const std::vector<std::string>& inputs, const ParamValues& params, const char* tool);
/// First row at or after --begin and the one behind --end (a date counts as the whole day); the whole series without them.
std::pair<std::int64_t, std::int64_t> chosen_rows(const ReturnSeries& series, const ParamValues& params);

/// How returns and ratios were made: {"returns": "simple", "scale": 100, ...}, completed by each tool.
Json conventions_of(const ParamValues& params);
/// "returns simple x 100; periods a year 252; ..." of the same.
std::string one_line(const Json& conventions);

/// --output and --overwrite.
void add_output_params(ParamSpec& spec, const char* help);
/// Before any work: throws finance.exists when the output is there and --overwrite was not given, finance.output when it is one of the inputs (by another name or link, too),
/// has no folder to lie in, or no name.
void require_output_free(const ParamValues& params, const std::vector<std::string>& inputs = {});
/// Writes atomically; returns the path, empty when no --output was given.
std::string write_output(const ParamValues& params, const std::string& text);

/// Columns of text, right-aligned but the first, two blanks between them.
std::string table_text(const std::vector<std::vector<std::string>>& rows);
/// A number for a table: `digits` significant ones, "-" for NaN.
std::string number_text(double value, int digits = 6);
/// A number in JSON, null where it is not finite.
Json json_number(double value);

}  // namespace tenon::finance
