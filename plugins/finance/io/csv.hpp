/// CSV (RFC 4180 and its common dialects), typed and validated: every cell is what its column says, or the file is refused.
///
/// The delimiter, whether there is a header, and the type of each column are found from the file where the caller does not say; what
/// was found is in the table. A column of which nineteen in twenty of the cells with a value in the first
/// thousands of records are numbers, or dates, holds them throughout: a cell that does not fit is an error with file, line and column, never a silent turn to
/// text. For a name that tells (Date, Close, Volume...) half are enough. Integers widen to reals.
///
/// Accepted: a byte-order mark of UTF-8, LF or CRLF, quoted cells with doubled quotes and newlines in them, an unnamed column, blanks
/// around numbers, one or several newlines at the end, gzip. Refused (data errors): finance.field_count (records of different lengths),
/// finance.open_quote, finance.stray_quote, finance.encoding (UTF-16, broken UTF-8), finance.nul, finance.line_end (a lone CR),
/// finance.cell (a cell that is not of its column's type), finance.integer_overflow, finance.not_finite ("inf", "nan" as text, numbers past
/// the range of f64), finance.denormal, finance.date_order (day and month cannot be told apart), finance.epoch (mixed epoch units),
/// finance.local_time (skipped or repeated by a change of clocks), finance.header (two columns of one name), finance.empty, gzip.*.
///
/// Cost: the file in memory once, plus the columns. Two passes: the first counts quotes and newlines block by block and so proves where
/// records begin, the second parses the blocks in parallel straight into the columns. Results do not depend on the thread count.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "finance/io/table.hpp"

namespace tenon::finance {

enum class DateOrder : std::uint8_t { found, day_first, month_first };
/// What to do with a local time that a change of clocks skips or repeats.
enum class ClockChange : std::uint8_t { error, earlier, later };
/// What whole numbers in a declared time column count since 1970.
enum class EpochUnit : std::uint8_t { none, s, ms, us, ns };

struct CsvOptions {
  char delimiter = 0;                               ///< 0: found among , ; tab |
  std::optional<bool> header;                       ///< nothing: a first record with a cell that is no number, date or missing marker
  std::vector<std::string> missing = {"", "NA", "."};  ///< cells that mean "no value", before and after trimming; quoted "" counts too
  std::map<std::string, CellType> types;            ///< by column name; the rest is found
  DateOrder date_order = DateOrder::found;          ///< of 3/4/2005
  std::string date_format;                          ///< for columns declared dates or times: %Y %m %d %H %M %S %b %y and literal text; "": the ISO and slash forms
  EpochUnit epoch = EpochUnit::none;                ///< for columns declared times that hold whole numbers
  std::string zone = "UTC";                         ///< tz database name that times without an offset are local to
  ClockChange clock_change = ClockChange::error;
  bool allow_denormal = false;                      ///< take denormal numbers, which are nearly always integers stored as doubles
  std::uint64_t max_bytes = std::uint64_t(1) << 36;  ///< of the file, unpacked
};

Table read_csv(const std::filesystem::path& path, const CsvOptions& options = {});
/// The same from memory; `source` opens messages.
Table parse_csv(std::string_view text, const CsvOptions& options = {}, const std::string& source = "text");

}  // namespace tenon::finance
