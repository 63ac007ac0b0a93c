/// What a CSV file looks like: delimiter, header and the types of its columns, found from its first records (private).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "finance/io/csv.hpp"

namespace tenon::finance {

struct RawCell {
  std::string text;  ///< without its quotes
  bool quoted = false;
};

/// Splits the record at `at`, moves `at` behind its newline. A quote where none may be ends the cell's text there: the parser will name it.
std::vector<RawCell> split_record(std::string_view text, std::size_t& at, char delimiter);

std::string_view trimmed(std::string_view cell) noexcept;
bool is_marker(std::string_view cell, const std::vector<std::string>& markers) noexcept;

struct ColumnPlan {
  std::string name;
  CellType type = CellType::text;
  bool declared = false;
  DateOrder order = DateOrder::found;  ///< of slash dates
  bool by_format = false;              ///< dates by CsvOptions::date_format
  bool epoch = false;
};

struct Dialect {
  char delimiter = ',';
  bool header = true;
  std::size_t body = 0;  ///< byte at which the data begin
  std::vector<ColumnPlan> columns;
  std::vector<std::string> notes;
};

Dialect find_dialect(std::string_view text, const CsvOptions& options, const std::string& source);

}  // namespace tenon::finance
