#include "finance/io/csv_parse.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "finance/io/number.hpp"
#include "tenon/error.hpp"
#include "tenon/io/utf8.hpp"

namespace tenon::finance {
namespace {

/// A cell in a message: its first bytes, what is not printable shown as such.
std::string shown(std::string_view cell) {
  std::string out;
  for (char c : cell.substr(0, 40)) {
    auto u = static_cast<unsigned char>(c);
    if (u < 0x20 || u == 0x7f) out += fmt::format("\\x{:02x}", u);
    else out += c;
  }
  return cell.size() > 40 ? out + "..." : out;
}

bool iso_date(const char* b, std::size_t size, std::int64_t& days) {
  if (size != 10 || b[4] != '-' || b[7] != '-') return false;
  auto digit = [b](int i) { return unsigned(static_cast<unsigned char>(b[i])) - '0'; };
  unsigned bad = 0, d[8];
  static constexpr int kPlaces[8] = {0, 1, 2, 3, 5, 6, 8, 9};
  for (int i = 0; i < 8; ++i) bad |= unsigned((d[i] = digit(kPlaces[i])) > 9);
  const unsigned year = d[0] * 1000 + d[1] * 100 + d[2] * 10 + d[3], month = d[4] * 10 + d[5], day = d[6] * 10 + d[7];
  if (bad || !is_valid_date(year, month, day) || !is_year_of_times(year)) return false;
  days = days_from_civil(year, month, day);
  return true;
}

}  // namespace

CsvParser::CsvParser(std::string_view text, const Dialect& dialect, const CsvOptions& options, const std::string& source, bool high_bytes)
    : text_(text), dialect_(dialect), options_(options), source_(source), high_bytes_(high_bytes), zone_(options.zone), findings_(dialect.columns.size()) {
  for (const auto& m : options.missing) longest_marker_ = std::max(longest_marker_, m.size());
}

std::int64_t CsvParser::line_at(std::int64_t byte) const { return 1 + std::count(text_.begin(), text_.begin() + byte, '\n'); }

void CsvParser::fail(const char* code, std::int64_t byte, const std::string& what, const std::string& hint) const {
  std::int64_t begin = byte;
  while (begin > 0 && text_[std::size_t(begin - 1)] != '\n') --begin;
  throw Error(ErrorKind::data, code, what, hint, fmt::format("{}:{}:{}", source_, line_at(byte), byte - begin + 1));
}

void CsvParser::fail_cell(const char* code, std::size_t column, const char* at, std::string_view cell, const std::string& what, const std::string& hint) const {
  fail(code, at - text_.data(), fmt::format("column '{}' ({}): '{}' {}", dialect_.columns[column].name, column + 1, shown(cell), what), hint);
}

void CsvParser::fail_quotes() const {
  bool inside = false, begins = true;
  std::int64_t opened = 0;
  const auto n = std::int64_t(text_.size());
  for (std::int64_t i = 0; i < n; ++i) {
    const char c = text_[std::size_t(i)];
    if (inside) {
      if (c != '"') continue;
      const char next = i + 1 < n ? text_[std::size_t(i + 1)] : '\n';
      if (next == '"') ++i;
      else if (next == dialect_.delimiter || next == '\n' || next == '\r') inside = false, begins = false;
      else fail("finance.stray_quote", i, "a quote ends the cell, but more text follows it", "quotes inside a quoted cell are doubled");
      continue;
    }
    if (c == '"') {
      if (!begins) fail("finance.stray_quote", i, "a quote stands inside a cell that does not begin with one", "quote the whole cell and double the quotes in it");
      inside = true;
      opened = i;
    }
    begins = c == dialect_.delimiter || c == '\n';
  }
  fail("finance.open_quote", opened, "the quote opened here is never closed", "close it, or restore the end of the file if that was cut off");
}

bool CsvParser::missing(std::string_view cell, ChunkFindings& found) const {
  if (cell.size() > longest_marker_) return false;
  for (std::size_t m = 0; m < options_.missing.size(); ++m) {
    if (cell != options_.missing[m]) continue;
    ++found.markers[m];
    return true;
  }
  return false;
}

void CsvParser::number(std::size_t column, const char* b, const char* e, double& out) const {
  switch (parse_real(b, e, out)) {
    case NumberStatus::ok: return;
    case NumberStatus::denormal:
      if (options_.allow_denormal) return;
      fail_cell("finance.denormal", column, b, {b, e}, "is a denormal number, as integers stored as doubles look", "repair the column at its source, or --allow-denormal");
    case NumberStatus::overflow: fail_cell("finance.not_finite", column, b, {b, e}, "is outside the range of a double", "correct the cell, or declare the column as text");
    case NumberStatus::not_finite: fail_cell("finance.not_finite", column, b, {b, e}, "is not finite", "correct the cell, or name it among the missing markers (--missing)");
    case NumberStatus::bad: fail_cell("finance.cell", column, b, {b, e}, "is no number", "correct it, name it among the missing markers (--missing), or declare the column as text (--types)");
  }
}

/// False when the cell is a real number and the column may still become one.
bool CsvParser::integer(std::size_t column, const char* b, const char* e, std::int64_t& out, double& as_real) {
  switch (parse_integer(b, e, out)) {
    case NumberStatus::ok: return true;
    case NumberStatus::overflow:
      fail_cell("finance.integer_overflow", column, b, {b, e}, std::string_view(b, std::size_t(e - b)) == "-9223372036854775808" ? "is the one 64-bit integer that stands for a missing value here" : "does not fit a 64-bit integer", "declare the column as real or text (--types)");
    default: break;
  }
  number(column, b, e, as_real);
  if (dialect_.columns[column].declared) fail_cell("finance.cell", column, b, {b, e}, "is no whole number, and the column was declared to hold them", "declare it as real (--types)");
  return false;
}

std::int64_t CsvParser::boolean(std::size_t column, std::string_view cell) const {
  if (cell == "TRUE" || cell == "True" || cell == "true") return 1;
  if (cell == "FALSE" || cell == "False" || cell == "false") return 0;
  fail_cell("finance.cell", column, cell.data(), cell, "is neither true nor false", "correct it, or declare the column as text (--types)");
}

std::int64_t CsvParser::date(std::size_t column, std::string_view cell) {
  const ColumnPlan& plan = dialect_.columns[column];
  std::int64_t days;
  if (plan.epoch) {
    static constexpr std::int64_t kUnits[] = {0, kNsPerSecond, 1'000'000, 1'000, 1};
    std::int64_t count, ns;
    const std::int64_t unit = kUnits[std::size_t(options_.epoch)];
    if (parse_integer(cell.data(), cell.data() + cell.size(), count) != NumberStatus::ok) {
      fail_cell("finance.cell", column, cell.data(), cell, "is no whole number of units since 1970", "correct it");
    }
    // 1985 to 2262: a count of another unit falls outside, by a factor of a thousand either way.
    if (__builtin_mul_overflow(count, unit, &ns) || (count != 0 && ns < 15 * 365 * kNsPerDay)) {
      fail_cell("finance.epoch", column, cell.data(), cell, "is not a time from 1985 to 2262 in the declared unit", "is it of another unit? one column holds one unit (--epoch)");
    }
    return ns;
  }
  if (!plan.by_format && iso_date(cell.data(), cell.size(), days)) [[likely]] return days * kNsPerDay;
  DateParts parts;
  if (plan.by_format) {
    if (!split_by_format(cell, options_.date_format, parts)) {
      fail_cell("finance.cell", column, cell.data(), cell, "is no date of the form " + options_.date_format, "correct it or the form (--date-format)");
    }
  } else {
    const DateForm form = split_date(cell, parts);
    if (form == DateForm::none) fail_cell("finance.cell", column, cell.data(), cell, "is no date", "correct it, name it among the missing markers (--missing), give the form (--date-format), or declare the column as text (--types)");
    if (form == DateForm::slash) {
      const std::int64_t byte = cell.data() - text_.data();
      ColumnFindings& f = findings_[column];
      if (parts.month != parts.day) f.slash.store(true, std::memory_order_relaxed);
      if (parts.month > 12 && f.day_first.load(std::memory_order_relaxed) < 0) f.day_first = byte;
      if (parts.day > 12 && f.month_first.load(std::memory_order_relaxed) < 0) f.month_first = byte;
      if (plan.order == DateOrder::day_first) std::swap(parts.month, parts.day);
      if (!is_valid_date(parts.year, parts.month, parts.day)) {
        if (plan.order == DateOrder::found) return 0;  // an order will be found, and the column parsed again
        fail_cell("finance.date_order", column, cell.data(), cell, plan.order == DateOrder::day_first ? "is no date with the day first" : "is no date with the month first",
                  "the other dates of the column have it so: correct the cell, or say --date-order");
      }
    }
  }
  if (!is_year_of_times(parts.year)) {
    fail_cell("finance.cell", column, cell.data(), cell, "is outside the years 1678 to 2261 that 64-bit nanoseconds hold",
              "correct it, name it among the missing markers (--missing), or declare the column as text (--types)");
  }
  if (parts.has_time) {
    if (plan.declared && plan.type == CellType::date) fail_cell("finance.cell", column, cell.data(), cell, "holds a time of day, and the column was declared to hold dates", "declare it as time (--types)");
    findings_[column].clock.store(true, std::memory_order_relaxed);
  }
  const std::int64_t local = days_from_civil(parts.year, parts.month, parts.day) * kNsPerDay + parts.ns;
  if (parts.has_offset) return local - parts.offset_s * kNsPerSecond;
  if (!parts.has_time || zone_.is_utc()) return local;
  try {
    return zone_.to_utc(local, options_.clock_change);
  } catch (const Error& e) {
    fail_cell(e.code().c_str(), column, cell.data(), cell, "- " + e.message(), e.hint());
  }
}

/// The content of a cell that begins with a quote.
std::string_view CsvParser::quoted(std::size_t column, std::string_view raw, ChunkFindings& found) const {
  if (raw.size() < 2 || raw.back() != '"') fail_cell("finance.stray_quote", column, raw.data(), raw, "begins with a quote and goes on behind its end", "quotes inside a quoted cell are doubled");
  std::string_view inner = raw.substr(1, raw.size() - 2);
  if (!std::memchr(inner.data(), '"', inner.size())) return inner;
  std::string& text = found.unescaped.emplace_back();
  text.reserve(inner.size() + 16);  // the number parser reads on
  for (std::size_t i = 0; i < inner.size(); ++i) {
    text += inner[i];
    if (inner[i] != '"') continue;
    if (++i == inner.size() || inner[i] != '"') fail_cell("finance.stray_quote", column, raw.data(), raw, "has a quote inside that is not doubled", "quotes inside a quoted cell are doubled");
  }
  return text;
}

void CsvParser::chunk(const Chunk& chunk, std::int64_t first_row, std::vector<Column>& columns, ChunkFindings& found) {
  thread_local CellIndex scratch;
  CellIndex& index = scratch;
  const std::size_t n = dialect_.columns.size();
  found.missing.assign(n, 0);
  found.markers.assign(options_.missing.size(), 0);
  if (chunk.end - chunk.begin >= std::int64_t(UINT32_MAX)) fail("finance.open_quote", chunk.begin, "a record from here on is longer than 4 GiB", "is a quote left open?");
  index_cells(text_.data(), chunk.begin, chunk.end, dialect_.delimiter, chunk.quotes, index);
  struct Target {
    CellType type;
    double* reals;
    std::int64_t* integers;
    std::string_view* texts;
  };
  std::vector<Target> targets;
  for (Column& c : columns) targets.push_back({c.type, c.reals.data(), c.integers.data(), c.texts.data()});
  const char* base = text_.data() + chunk.begin;
  const char* begin = base;
  std::size_t k = 0;
  for (std::int64_t row = first_row; k < index.size; ++row) {
    const char* const record = begin;
    for (std::size_t c = 0; c < n; ++c) {
      const char* end = base + index.at[k++];
      const char* const next = end + 1;
      const bool last = *end == '\n';
      if (last != (c + 1 == n)) [[unlikely]] {
        std::size_t cells = c + 1;
        for (std::size_t j = k; !last && j < index.size && base[index.at[j - 1]] != '\n'; ++j) ++cells;
        if (cells == 1 && end - begin <= 1) fail("finance.field_count", record - text_.data(), "an empty line stands between records", "delete it");
        fail("finance.field_count", record - text_.data(), fmt::format("this record has {} cells, the {} has {}", cells, dialect_.header ? "header" : "first one", n),
             "complete or shorten it; is a cell with the delimiter in it not quoted?");
      }
      if (last && end > begin && end[-1] == '\r') --end;
      const char* const place = begin;  // of the cell in the file, for errors: a text with doubled quotes is a copy elsewhere
      const Target& to = targets[c];
      const CellType type = to.type;
      std::string_view cell(begin, std::size_t(end - begin));
      if (chunk.quotes) {
        if (!cell.empty() && cell.front() == '"') {
          const auto newlines = std::count(cell.begin(), cell.end(), '\n');
          if (newlines) found.long_rows.emplace_back(row + 1, newlines);
          if (type != CellType::text && cell.size() > 3 && cell.substr(1, cell.size() - 2).find("\"\"") != cell.npos) {
            fail_cell("finance.cell", c, cell.data(), cell, fmt::format("holds a quote, and the column holds {}s", finance::name_of(type)), "correct it, or declare the column as text (--types)");
          }
          cell = quoted(c, cell, found);
        } else if (std::memchr(cell.data(), '"', cell.size())) {
          fail("finance.stray_quote", cell.data() + cell.find('"') - text_.data(), fmt::format("column '{}' ({}): a quote stands inside a cell that does not begin with one", dialect_.columns[c].name, c + 1),
               "quote the whole cell and double the quotes in it");
        }
      }
      begin = next;
      if (type == CellType::text) {
        if (missing(cell, found)) {
          ++found.missing[c];
          continue;
        }
        if (std::memchr(cell.data(), '\r', cell.size()) && cell.find("\r\n") == cell.npos) {
          fail_cell("finance.line_end", c, place, cell, "holds a carriage return without a newline", "convert the line ends to LF or CRLF");
        }
        if (high_bytes_ && !is_utf8(cell)) fail_cell("finance.encoding", c, place, "...", "is not UTF-8", "convert the file: iconv -f latin1 -t utf-8");
        to.texts[row] = cell;
        continue;
      }
      if (!cell.empty() && (cell.front() <= ' ' || cell.back() <= ' ')) cell = trimmed(cell);
      if (cell.empty() ? missing(cell, found) : (cell.size() <= longest_marker_ && missing(cell, found))) {
        ++found.missing[c];
        if (type == CellType::real) to.reals[row] = std::numeric_limits<double>::quiet_NaN();
        else to.integers[row] = kMissing;
        continue;
      }
      if (cell.empty()) fail_cell("finance.cell", c, place, cell, "is empty, which is no missing marker here", "name the empty cell among the missing markers (--missing)");
      switch (type) {
        case CellType::real: number(c, cell.data(), cell.data() + cell.size(), to.reals[row]); break;
        case CellType::integer: {
          double real;
          if (!integer(c, cell.data(), cell.data() + cell.size(), to.integers[row], real)) findings_[c].real = true;
          break;
        }
        case CellType::boolean: to.integers[row] = boolean(c, cell); break;
        default: to.integers[row] = date(c, cell); break;
      }
    }
  }
}

}  // namespace tenon::finance
