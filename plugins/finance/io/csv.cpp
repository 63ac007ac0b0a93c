#include "finance/io/csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "finance/io/csv_parse.hpp"
#include "finance/io/gzip.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/kernel.hpp"

namespace tenon::finance {
namespace {

Bytes read_bytes(const std::filesystem::path& path, const CsvOptions& options) {
  auto file = files().open_read(path);
  std::byte head[4];
  const std::size_t n = file->read_at(0, head, sizeof head);
  if (is_gzip(std::span(head, n))) {
    auto packed = read_file(path, options.max_bytes);
    try {
      return gunzip(packed, options.max_bytes);
    } catch (const Error& e) {
      throw e.at(path.string());
    }
  }
  const std::uint64_t size = file->size();
  if (size > options.max_bytes) throw Error(ErrorKind::data, "io.too_large", fmt::format("the file has {} bytes, the limit is {}", size, options.max_bytes), "raise the limit or read a part", path.string());
  Bytes out = Bytes::of_size(std::size_t(size));
  constexpr std::int64_t kPart = 1 << 22;
  parallel_for((std::int64_t(size) + kPart - 1) / kPart, [&](std::int64_t i) {
    const auto from = std::uint64_t(i * kPart);
    const auto want = std::size_t(std::min<std::uint64_t>(std::uint64_t(kPart), size - from));
    if (file->read_at(from, out.data.get() + from, want) != want) throw Error(ErrorKind::data, "io.read", "the file became shorter while it was read", "try again", path.string());
  });
  return out;
}

/// Refuses what is no UTF-8 text at all and skips the byte-order mark.
std::size_t check_encoding(std::string_view text, const std::string& source) {
  const auto starts = [text](std::initializer_list<unsigned char> bytes) {
    std::size_t i = 0;
    for (auto b : bytes)
      if (i >= text.size() || static_cast<unsigned char>(text[i++]) != b) return false;
    return true;
  };
  if (starts({0xff, 0xfe, 0, 0}) || starts({0, 0, 0xfe, 0xff})) {
    throw Error(ErrorKind::data, "finance.encoding", "the file is UTF-32", "convert it: iconv -f utf-32 -t utf-8", source + ":1:1");
  }
  if (starts({0xff, 0xfe}) || starts({0xfe, 0xff})) {
    throw Error(ErrorKind::data, "finance.encoding", "the file is UTF-16", "convert it: iconv -f utf-16 -t utf-8", source + ":1:1");
  }
  return starts({0xef, 0xbb, 0xbf}) ? 3 : 0;
}

void allocate(Column& column, std::int64_t rows) {
  column.reals.clear();
  column.integers.clear();
  column.texts.clear();
  const auto n = std::size_t(rows);
  const auto of_size = [n](auto& cells) {
    cells.reserve(n);
    prefer_huge_pages(cells.data(), n * sizeof cells[0]);
    cells.resize(n);
  };
  if (column.type == CellType::real) of_size(column.reals);
  else if (column.type == CellType::text) of_size(column.texts);
  else of_size(column.integers);
}

/// What the chunks learnt about types: true when the file must be parsed again with it.
bool learn(CsvParser& parser, Dialect& dialect, std::vector<Column>& columns) {
  bool again = false;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    ColumnFindings& f = parser.findings(c);
    ColumnPlan& plan = dialect.columns[c];
    if (f.real) {
      plan.type = columns[c].type = CellType::real;
      f.real = false;
      again = true;
    }
    if (f.clock && columns[c].type == CellType::date) columns[c].type = CellType::time;
    if (plan.order != DateOrder::found || !(columns[c].is_time())) continue;
    if (f.day_first >= 0 && f.month_first >= 0) {
      parser.fail("finance.date_order", std::max(f.day_first.load(), f.month_first.load()),
                  fmt::format("column '{}' has dates with the day first (line {}) and dates with the month first (line {})", plan.name, parser.line_at(f.day_first), parser.line_at(f.month_first)),
                  "correct the column at its source");
    }
    if (f.day_first >= 0 || f.month_first >= 0) {
      plan.order = f.day_first >= 0 ? DateOrder::day_first : DateOrder::month_first;
      again = true;
    }
  }
  return again;
}

/// Slash dates of which none tells day from month.
void require_date_order(CsvParser& parser, const Dialect& dialect, std::string_view body, const std::vector<Column>& columns, const char* text) {
  for (std::size_t c = 0; c < columns.size(); ++c) {
    if (!parser.findings(c).slash || dialect.columns[c].order != DateOrder::found) continue;
    std::size_t at = 0;
    while (at < body.size()) {
      const std::size_t begin = at;
      const auto cells = split_record(body, at, dialect.delimiter);
      DateParts parts;
      if (c >= cells.size() || split_date(trimmed(cells[c].text), parts) != DateForm::slash) continue;
      if (parts.month == parts.day) continue;  // the same either way
      parser.fail("finance.date_order", body.data() + begin - text, fmt::format("column '{}': {} may have the day or the month first, and no date of the column tells which", dialect.columns[c].name, cells[c].text),
                  "say which: --date-order day or month");
    }
  }
}

Table parse(Bytes bytes, const CsvOptions& options, const std::string& source) {
  auto memory = std::make_shared<Bytes>(std::move(bytes));
  char* data = memory->data.get();
  std::string_view whole(data, memory->size);
  const std::size_t mark = check_encoding(whole, source);
  whole.remove_prefix(mark);
  // One newline ends the last record; more are taken for the same.
  std::size_t size = whole.size();
  while (size && (whole[size - 1] == '\n' || whole[size - 1] == '\r')) --size;
  if (size == 0) throw Error(ErrorKind::data, "finance.empty", "the file holds no records", "give a file with data", source);
  data[mark + size] = '\n';
  const std::string_view text(data + mark, size + 1);

  Table table;
  table.source = source;
  if (mark) table.notes.push_back("the file begins with a byte-order mark");
  if (std::memchr(text.data(), 0, std::min<std::size_t>(text.size(), 1 << 16))) {
    const auto at = std::int64_t(text.find('\0'));
    throw Error(ErrorKind::data, "finance.nul", fmt::format("byte {} is NUL", mark + std::size_t(at)), "is it UTF-16 or a binary file? convert it: iconv -f utf-16 -t utf-8",
                fmt::format("{}:{}", source, 1 + std::count(text.begin(), text.begin() + at, '\n')));
  }
  if (size_t(std::count(text.begin(), text.end(), '\n')) == 1 && text.find('\r') < size) {
    throw Error(ErrorKind::data, "finance.line_end", fmt::format("the lines end with a carriage return alone, {} of them, and with no newline", std::count(text.begin(), text.end(), '\r')), "convert them: tr '\\r' '\\n'",
                fmt::format("{}:1:{}", source, text.find('\r') + 1));
  }
  Dialect dialect = find_dialect(text, options, source);
  const std::string_view header = text.substr(0, dialect.body);
  for (std::size_t i = 0; i < header.size(); ++i) {
    if (header[i] == '\r' && header.substr(i + 1, 1) != "\n" && header.find('"') == header.npos) {
      CsvParser(text, dialect, options, source, false).fail("finance.line_end", std::int64_t(i), "a carriage return stands without a newline", "convert the line ends to LF or CRLF");
    }
  }
  std::string_view body = text.substr(std::min(dialect.body, text.size()));
  if (body.empty()) throw Error(ErrorKind::data, "finance.empty", "the file holds a header and no records", "give a file with data", source);
  CsvParser parser(text, dialect, options, source, false);
  const Layout layout = scan(body);
  if (layout.nul) parser.fail("finance.nul", std::int64_t(text.find('\0')), "a byte is NUL", "the file is damaged or no text: copy or export it again");
  if (layout.open_quote) parser.fail_quotes();

  CsvParser cells(text, dialect, options, source, layout.high);
  std::vector<Column> columns(dialect.columns.size());
  for (std::size_t c = 0; c < columns.size(); ++c) {
    columns[c].name = dialect.columns[c].name;
    columns[c].type = dialect.columns[c].type;
  }
  const std::int64_t offset = body.data() - text.data();
  std::vector<ChunkFindings> found;
  do {
    for (Column& c : columns) allocate(c, layout.records);
    found = std::vector<ChunkFindings>(layout.chunks.size());
    parallel_for(std::int64_t(layout.chunks.size()), [&](std::int64_t i) {
      Chunk chunk = layout.chunks[std::size_t(i)];
      chunk.begin += offset;
      chunk.end += offset;
      cells.chunk(chunk, chunk.first_record, columns, found[std::size_t(i)]);
    });
  } while (learn(cells, dialect, columns));
  require_date_order(cells, dialect, body, columns, text.data());

  table.rows = layout.records;
  const std::int64_t first_line = dialect.header ? 1 + std::count(text.begin(), text.begin() + offset, '\n') : 1;
  table.lines.emplace_back(0, first_line);
  std::vector<std::int64_t> markers(options.missing.size(), 0);
  std::int64_t shift = first_line;
  auto texts = std::make_shared<std::vector<std::deque<std::string>>>();
  for (ChunkFindings& f : found) {
    for (std::size_t c = 0; c < columns.size(); ++c) columns[c].missing += f.missing[c];
    for (std::size_t m = 0; m < markers.size(); ++m) markers[m] += f.markers[m];
    for (auto [row, newlines] : f.long_rows) {
      shift += newlines;
      table.lines.emplace_back(row, row + shift);
    }
    if (!f.unescaped.empty()) texts->push_back(std::move(f.unescaped));
  }
  for (std::size_t m = 0; m < markers.size(); ++m) {
    if (markers[m]) table.notes.push_back(fmt::format("{} cells are missing, written '{}'", markers[m], options.missing[m]));
  }
  for (auto& note : dialect.notes) table.notes.push_back(std::move(note));
  for (std::size_t c = 0; c < columns.size(); ++c) {
    if (columns[c].is_time() && dialect.columns[c].order != DateOrder::found && options.date_order == DateOrder::found) {
      table.notes.push_back(fmt::format("column '{}': dates have the {} first", columns[c].name, dialect.columns[c].order == DateOrder::day_first ? "day" : "month"));
    }
  }
  table.columns = std::move(columns);
  table.storage = {memory, texts};
  return table;
}

}  // namespace

Table read_csv(const std::filesystem::path& path, const CsvOptions& options) { return parse(read_bytes(path, options), options, path.string()); }

Table parse_csv(std::string_view text, const CsvOptions& options, const std::string& source) {
  Bytes bytes = Bytes::of_size(text.size());
  std::memcpy(bytes.data.get(), text.data(), text.size());
  return parse(std::move(bytes), options, source);
}

}  // namespace tenon::finance
