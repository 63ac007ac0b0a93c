/// The second pass over a CSV file: cells into columns (private).
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "finance/io/csv_dialect.hpp"
#include "finance/io/csv_scan.hpp"
#include "finance/io/datetime.hpp"

namespace tenon::finance {

/// What the chunks found out about one column together. Rows are those of its first witness.
struct ColumnFindings {
  std::atomic<bool> real{false};                      ///< a found integer column holds a number with a point
  std::atomic<bool> clock{false};                     ///< a date column holds a time of day
  std::atomic<bool> slash{false};                     ///< and dates that may have the day or the month first
  std::atomic<std::int64_t> day_first{-1}, month_first{-1};  ///< byte of a slash date that proves an order; -1 none
};

struct ChunkFindings {
  std::vector<std::int64_t> missing;  ///< a column
  std::vector<std::int64_t> markers;  ///< one of CsvOptions::missing
  std::vector<std::pair<std::int64_t, std::int64_t>> long_rows;  ///< (row behind it, newlines in quotes of the record)
  std::deque<std::string> unescaped;
};

class CsvParser {
 public:
  CsvParser(std::string_view text, const Dialect& dialect, const CsvOptions& options, const std::string& source, bool high_bytes);

  /// Parses the records of a chunk into rows first_row on. Throws for the first defect.
  void chunk(const Chunk& chunk, std::int64_t first_row, std::vector<Column>& columns, ChunkFindings& found);
  ColumnFindings& findings(std::size_t column) { return findings_[column]; }

  /// An error at a byte of the text: "file:line:column".
  [[noreturn]] void fail(const char* code, std::int64_t byte, const std::string& what, const std::string& hint) const;
  std::int64_t line_at(std::int64_t byte) const;
  /// Names the quote that is not closed, or stands where none may.
  [[noreturn]] void fail_quotes() const;

 private:
  struct Cell;
  [[noreturn]] void fail_cell(const char* code, std::size_t column, const char* at, std::string_view cell, const std::string& what, const std::string& hint) const;
  bool missing(std::string_view cell, ChunkFindings& found) const;
  void number(std::size_t column, const char* b, const char* e, double& out) const;
  bool integer(std::size_t column, const char* b, const char* e, std::int64_t& out, double& as_real);
  std::int64_t boolean(std::size_t column, std::string_view cell) const;
  std::int64_t date(std::size_t column, std::string_view cell);
  std::string_view quoted(std::size_t column, std::string_view raw, ChunkFindings& found) const;

  std::string_view text_;
  const Dialect& dialect_;
  const CsvOptions& options_;
  std::string source_;
  bool high_bytes_;
  std::size_t longest_marker_ = 0;
  TimeZone zone_;
  std::vector<ColumnFindings> findings_;
};

}  // namespace tenon::finance
