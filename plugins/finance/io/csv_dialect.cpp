#include "finance/io/csv_dialect.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <set>

#include "finance/io/datetime.hpp"
#include "finance/io/number.hpp"
#include "tenon/error.hpp"
#include "tenon/params.hpp"

namespace tenon::finance {
namespace {

constexpr std::int64_t kSampleRecords = 4096;

enum Kind : std::uint8_t { kInteger, kReal, kBoolean, kDate, kTime, kCode, kText, kKinds };

/// How many cells of a column are of each kind; missing ones are not counted.
struct Evidence {
  std::array<std::int64_t, kKinds> count{};
  bool day_first = false, month_first = false;  ///< what slash dates prove

  std::int64_t cells() const { return std::accumulate(count.begin(), count.end(), std::int64_t(0)); }
  void add(Kind kind) { ++count[kind]; }
};

bool has_leading_zero(std::string_view cell) {
  if (cell.starts_with('-')) cell.remove_prefix(1);
  return cell.size() > 1 && cell[0] == '0' && cell[1] >= '0' && cell[1] <= '9';
}

void classify(std::string_view raw, const CsvOptions& options, Evidence& e) {
  std::string_view cell = trimmed(raw);
  if (is_marker(raw, options.missing) || is_marker(cell, options.missing)) return;
  if (cell == "TRUE" || cell == "FALSE" || cell == "True" || cell == "False" || cell == "true" || cell == "false") {
    e.add(kBoolean);
    return;
  }
  std::string padded(cell);
  padded.append(16, '\0');  // the number parser reads on
  const char *b = padded.data(), *end = b + cell.size();
  std::int64_t i;
  double r;
  if (cell.empty()) {
    e.add(kText);
  } else if (has_leading_zero(cell) && cell.find('.') == cell.npos) {
    e.add(kCode);  // a code (00123 is not 123)
  } else if (auto s = parse_integer(b, end, i); s == NumberStatus::ok || s == NumberStatus::overflow) {
    e.add(kInteger);
  } else if (parse_real(b, end, r) != NumberStatus::bad) {
    e.add(kReal);
  } else {
    DateParts parts;
    DateForm form = split_date(cell, parts);
    if (form == DateForm::none) {
      e.add(kText);
      return;
    }
    e.add(parts.has_time ? kTime : kDate);
    if (form == DateForm::slash) {
      if (parts.month > 12) e.day_first = true;
      if (parts.day > 12) e.month_first = true;
    }
  }
}

/// A name that says what its column holds.
bool is_telling(std::string_view name) {
  static constexpr std::string_view kNames[] = {"date", "time", "datetime", "timestamp", "open", "high", "low", "close", "adjclose", "adjustedclose", "price", "last", "volume", "bid", "ask"};
  return std::find(std::begin(kNames), std::end(kNames), plain_name(name)) != std::end(kNames);
}

/// The type that nearly all cells have, so that an odd cell is an error and no reason to read the column as text: nineteen in twenty, or half where the
/// name tells. Whole numbers with leading zeros are codes, among numbers with points they are numbers.
CellType type_of(const Evidence& e, bool telling) {
  const std::int64_t cells = e.cells();
  if (cells == 0) return CellType::real;
  const auto nearly_all = [&](std::int64_t n) { return n == cells || (telling ? 2 * n >= cells && n > 0 : 20 * n >= 19 * cells); };
  const std::int64_t numbers = e.count[kInteger] + e.count[kReal], dates = e.count[kDate] + e.count[kTime];
  if (nearly_all(dates)) return e.count[kTime] ? CellType::time : CellType::date;
  if (nearly_all(e.count[kBoolean])) return CellType::boolean;
  if (e.count[kCode] && !nearly_all(e.count[kReal])) return CellType::text;
  if (nearly_all(numbers)) return e.count[kReal] ? CellType::real : CellType::integer;
  return CellType::text;
}

char find_delimiter(std::string_view text) {
  char best = ',';
  std::size_t most = 1;
  for (bool equal_counts : {true, false}) {
    for (char candidate : {',', ';', '\t', '|'}) {
      std::size_t at = 0, count = 0;
      bool same = true;
      for (int record = 0; record < 20 && at < text.size(); ++record) {
        std::size_t n = split_record(text, at, candidate).size();
        if (record == 0) count = n;
        same &= n == count;
      }
      if ((same || !equal_counts) && count > most) best = candidate, most = count;
    }
    if (most > 1) break;
  }
  return best;
}

/// No header: every cell of the first record could stand in its column.
bool has_header(const std::vector<RawCell>& first, const std::vector<Evidence>& rest, const CsvOptions& options) {
  for (std::size_t c = 0; c < first.size(); ++c) {
    Evidence e;
    classify(first[c].text, options, e);
    if (e.count[kText] + e.count[kCode]) return true;
    if (c == 0 && e.cells() == 0 && c < rest.size() && rest[c].cells() > 0) return true;  // the unnamed column of an index
  }
  return false;
}

std::vector<std::string> names_from(const std::vector<RawCell>& first, const std::string& source, std::vector<std::string>& notes) {
  std::vector<std::string> names;
  std::set<std::string> seen;
  for (std::size_t c = 0; c < first.size(); ++c) {
    std::string name(trimmed(first[c].text));
    if (name.empty()) {
      name = c == 0 ? "index" : fmt::format("column{}", c + 1);
      notes.push_back(fmt::format("column {} has no name; it is called '{}'", c + 1, name));
    }
    if (!seen.insert(name).second) {
      throw Error(ErrorKind::data, "finance.header", fmt::format("two columns are called '{}'; the second is column {}", name, c + 1), "rename one of them",
                  source + ":1");
    }
    names.push_back(name);
  }
  return names;
}

}  // namespace

std::string_view trimmed(std::string_view cell) noexcept {
  while (!cell.empty() && (cell.front() == ' ' || cell.front() == '\t')) cell.remove_prefix(1);
  while (!cell.empty() && (cell.back() == ' ' || cell.back() == '\t')) cell.remove_suffix(1);
  return cell;
}

bool is_marker(std::string_view cell, const std::vector<std::string>& markers) noexcept {
  for (const std::string& m : markers)
    if (cell == m) return true;
  return false;
}

std::vector<RawCell> split_record(std::string_view text, std::size_t& at, char delimiter) {
  std::vector<RawCell> cells;
  while (true) {
    RawCell cell;
    if (at < text.size() && text[at] == '"') {
      cell.quoted = true;
      for (++at; at < text.size(); ++at) {
        if (text[at] != '"') cell.text += text[at];
        else if (at + 1 < text.size() && text[at + 1] == '"') cell.text += '"', ++at;
        else break;
      }
      if (at < text.size()) ++at;
    }
    while (at < text.size() && text[at] != delimiter && text[at] != '\n') cell.text += text[at++];
    const bool last = at >= text.size() || text[at] == '\n';
    if (last && cell.text.ends_with('\r')) cell.text.pop_back();
    cells.push_back(std::move(cell));
    if (at < text.size()) ++at;
    if (last) return cells;
  }
}

Dialect find_dialect(std::string_view text, const CsvOptions& options, const std::string& source) {
  Dialect out;
  out.delimiter = options.delimiter ? options.delimiter : find_delimiter(text);
  std::size_t at = 0;
  const auto first = split_record(text, at, out.delimiter);
  std::vector<Evidence> evidence(first.size());
  const std::size_t second = at;
  std::int64_t last = kSampleRecords, of_width = 0, others = 0;
  for (std::int64_t record = 0; at < text.size() && record < last; ++record) {
    const auto cells = split_record(text, at, out.delimiter);
    ++(cells.size() == first.size() ? of_width : others);
    if (cells.size() != first.size()) continue;  // the parser will say so
    bool unknown = false;
    for (std::size_t c = 0; c < cells.size(); ++c) {
      classify(cells[c].text, options, evidence[c]);
      unknown |= evidence[c].cells() == 0;
    }
    if (unknown && record + 1 == last) last += kSampleRecords;
  }
  if (of_width == 0 && others > 0)  // nothing is known of any column: as text none of its cells is wrong before the parser has counted them
    for (Evidence& e : evidence) e.add(kText);
  out.header = options.header ? *options.header : has_header(first, evidence, options);
  std::vector<std::string> names;
  if (out.header) {
    names = names_from(first, source, out.notes);
    out.body = second;
  } else {
    for (std::size_t c = 0; c < first.size(); ++c) {
      classify(first[c].text, options, evidence[c]);
      names.push_back(fmt::format("column{}", c + 1));
    }
    out.notes.push_back("the file has no header; columns are called column1, column2...");
  }
  for (const auto& [name, type] : options.types) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      throw Error(ErrorKind::usage, "finance.no_column", fmt::format("a type is declared for column '{}', which the file does not have", name), suggestion(name, names), source);
    }
  }
  for (std::size_t c = 0; c < names.size(); ++c) {
    ColumnPlan plan;
    plan.name = names[c];
    plan.type = type_of(evidence[c], is_telling(plan.name));
    plan.order = options.date_order;
    if (plan.order == DateOrder::found && evidence[c].day_first != evidence[c].month_first) {
      plan.order = evidence[c].day_first ? DateOrder::day_first : DateOrder::month_first;
    }
    if (auto declared = options.types.find(plan.name); declared != options.types.end()) {
      plan.type = declared->second;
      plan.declared = true;
      const bool time = plan.type == CellType::date || plan.type == CellType::time;
      plan.by_format = time && !options.date_format.empty();
      plan.epoch = time && !plan.by_format && options.epoch != EpochUnit::none;
    }
    if (!plan.declared && plan.type == CellType::text && is_telling(plan.name)) {
      out.notes.push_back(fmt::format("column '{}' holds text, though its name says otherwise: its type may be declared (--types), the form of its dates, too (--date-format)", plan.name));
    }
    out.columns.push_back(std::move(plan));
  }
  return out;
}

}  // namespace tenon::finance
