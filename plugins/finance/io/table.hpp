/// A table of typed columns, as read from a file: what the readers give and everything else of the plugin takes.
///
/// A cell is missing or has a value; missing reals are NaN, missing integers, dates and times INT64_MIN, missing texts empty, and
/// `missing` counts them. Dates and times are nanoseconds since 1970-01-01 UTC, a date at its midnight.
/// A Table owns its memory; copies of texts live in `texts`. Read from any thread; changing one is its owner's business.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tenon::finance {

enum class CellType : std::uint8_t { integer, real, boolean, date, time, text };
const char* name_of(CellType type) noexcept;

inline constexpr std::int64_t kMissing = std::numeric_limits<std::int64_t>::min();
inline constexpr std::int64_t kNsPerSecond = 1'000'000'000, kNsPerDay = 86'400 * kNsPerSecond;

/// A column's name in small letters without blanks, underscores and points: "adj_close" and "Adj Close" are "adjclose".
std::string plain_name(std::string_view name);

struct Column {
  std::string name;
  CellType type = CellType::text;
  std::vector<double> reals;            ///< real
  std::vector<std::int64_t> integers;   ///< integer, boolean (0, 1), date and time (ns UTC)
  std::vector<std::string_view> texts;  ///< text; into the table's `storage`
  std::int64_t missing = 0;

  bool is_number() const noexcept { return type == CellType::real || type == CellType::integer || type == CellType::boolean; }
  bool is_time() const noexcept { return type == CellType::date || type == CellType::time; }
  bool is_missing(std::int64_t row) const noexcept;
  /// A number column as doubles, missing as NaN; a data error finance.column_type for any other.
  std::vector<double> numbers() const;
};

struct Table {
  std::string source;  ///< the file, for messages
  std::vector<Column> columns;
  std::int64_t rows = 0;
  std::vector<std::string> notes;  ///< what a reader should know: missing markers met, order reversed, a column without name
  std::vector<std::shared_ptr<void>> storage;
  std::vector<std::pair<std::int64_t, std::int64_t>> lines;  ///< (row, line of it) wherever line - row changes, by row

  /// 1-based line of the file on which a row begins.
  std::int64_t line_of(std::int64_t row) const noexcept;
  const Column* find(std::string_view name) const noexcept;
  /// The column, or a usage error finance.no_column with the nearest names.
  const Column& at(std::string_view name) const;
  /// The one column of dates or times; a data error finance.no_time_column when there is none or several.
  const Column& time_column() const;
};

/// "2003-01-02", or "2003-01-02T14:30:00.25Z" where it is not a midnight; "missing" for kMissing.
std::string time_text(std::int64_t ns);
/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar, and back (Howard Hinnant's algorithms).
std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day) noexcept;
struct CivilDate {
  std::int64_t year;
  unsigned month, day;
};
CivilDate civil_from_days(std::int64_t days) noexcept;
/// 0 for Sunday to 6 for Saturday.
int weekday_of_days(std::int64_t days) noexcept;
bool is_valid_date(std::int64_t year, unsigned month, unsigned day) noexcept;
/// Whether 64-bit nanoseconds hold the whole year, in any zone.
constexpr bool is_year_of_times(std::int64_t year) noexcept { return year >= 1678 && year <= 2261; }

}  // namespace tenon::finance
