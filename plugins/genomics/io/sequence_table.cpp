#include "genomics/io/sequence_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "genomics/io/fasta.hpp"
#include "genomics/io/letters.hpp"
#include "genomics/io/text_input.hpp"
#include "tenon/error.hpp"
#include "tenon/params.hpp"

namespace tenon::genomics {
namespace {

std::string normalised(std::string_view letters) {
  std::string out(letters);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = char(c - 32);
    if (c == 'U') c = 'T';
  }
  return out;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = char(c + 32);
  return out;
}

std::string_view trimmed(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

/// Values of one line. A value in double quotes may hold the delimiter; "" stands for a quote.
std::vector<std::string> cells(std::string_view line, char delimiter, const std::string& where) {
  std::vector<std::string> out;
  std::size_t at = 0;
  while (true) {
    std::size_t start = at;
    while (start < line.size() && line[start] == ' ') ++start;
    if (start < line.size() && line[start] == '"') {
      std::string value;
      std::size_t i = start + 1;
      for (;; ++i) {
        if (i >= line.size()) throw Error(ErrorKind::data, "genomics.table", fmt::format("the quote that opens in column {} is not closed", out.size() + 1), "close it, or double it inside a value", where);
        if (line[i] != '"') value += line[i];
        else if (i + 1 < line.size() && line[i + 1] == '"') value += line[++i];
        else break;
      }
      at = line.find(delimiter, i);
      if (!trimmed(line.substr(i + 1, at == std::string_view::npos ? at : at - i - 1)).empty())
        throw Error(ErrorKind::data, "genomics.table", fmt::format("text follows the closing quote in column {}", out.size() + 1), "quote the whole value", where);
      out.push_back(std::move(value));
    } else {
      at = line.find(delimiter, start);
      out.emplace_back(trimmed(line.substr(start, at == std::string_view::npos ? at : at - start)));
    }
    if (at == std::string_view::npos) return out;
    ++at;
  }
}

std::optional<std::size_t> as_number(const std::string& text) {
  std::size_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct Layout {
  std::optional<std::size_t> sequence, label, name, split;  ///< from 0
  bool header = false;
};

bool is_sequence(const std::string& cell) {
  return !cell.empty() && std::all_of(cell.begin(), cell.end(), [](char c) { return base_code(c) != kNoBase; });
}

Layout layout_of(const std::vector<std::string>& first, const TableColumns& columns, const std::string& where) {
  std::vector<std::string> names;
  for (const auto& cell : first) names.push_back(lower(cell));
  auto find_name = [&](std::initializer_list<const char*> candidates) -> std::optional<std::size_t> {
    for (const char* candidate : candidates)
      if (auto it = std::find(names.begin(), names.end(), candidate); it != names.end()) return std::size_t(it - names.begin());
    return std::nullopt;
  };
  Layout layout;
  for (const std::string* wanted : {&columns.sequence, &columns.label, &columns.name, &columns.split})
    layout.header = layout.header || (!wanted->empty() && !as_number(*wanted));
  layout.header = layout.header || find_name({"sequence", "seq"});
  auto resolve = [&](const std::string& wanted, std::optional<std::size_t> fallback) -> std::optional<std::size_t> {
    if (wanted.empty()) return fallback;
    if (auto number = as_number(wanted)) {
      if (*number < 1 || *number > first.size()) throw Error(ErrorKind::data, "genomics.table", fmt::format("there is no column {}: the line has {}", *number, first.size()), "columns count from 1", where);
      return *number - 1;
    }
    if (auto it = std::find(names.begin(), names.end(), lower(wanted)); it != names.end()) return std::size_t(it - names.begin());
    throw Error(ErrorKind::data, "genomics.table", "there is no column '" + wanted + "' in the header", suggestion(wanted, first), where);
  };
  if (layout.header) {
    layout.sequence = resolve(columns.sequence, find_name({"sequence", "seq"}));
    layout.label = resolve(columns.label, find_name({"label", "class"}));
    layout.name = resolve(columns.name, find_name({"name", "id"}));
    layout.split = resolve(columns.split, find_name({"split", "fold"}));
  } else {
    std::optional<std::size_t> longest;
    for (std::size_t i = 0; i < first.size(); ++i)
      if (is_sequence(first[i]) && (!longest || first[i].size() > first[*longest].size())) longest = i;
    layout.sequence = resolve(columns.sequence, longest);
    bool usual = layout.sequence == first.size() - 1;
    layout.label = resolve(columns.label, usual && first.size() <= 3 && first.size() >= 2 ? std::optional<std::size_t>(0) : std::nullopt);
    layout.name = resolve(columns.name, usual && first.size() == 3 && layout.label != 1 ? std::optional<std::size_t>(1) : std::nullopt);
    layout.split = resolve(columns.split, std::nullopt);
  }
  if (!layout.sequence) throw Error(ErrorKind::data, "genomics.table", "no column holds sequences", "name it in the header ('sequence'), or tell which one it is", where);
  return layout;
}

std::vector<SequenceRecord> read_table(TextInput& text, std::string_view line, const TableColumns& columns) {
  const char delimiter = line.find('\t') != std::string_view::npos ? '\t' : ',';
  const auto first = cells(line, delimiter, text.where());
  const Layout layout = layout_of(first, columns, text.where());
  std::vector<SequenceRecord> records;
  std::uint64_t blank = 0;  // only at the end may blank lines stand
  bool more = !layout.header || text.next(line);
  for (; more; more = text.next(line)) {
    if (trimmed(line).empty()) {
      blank = blank ? blank : text.line_number();
      continue;
    }
    if (blank) throw Error(ErrorKind::data, "genomics.table", "a blank line between lines of the table", "remove it", text.where(blank));
    auto values = cells(line, delimiter, text.where());
    if (values.size() != first.size()) {
      throw Error(ErrorKind::data, "genomics.table", fmt::format("{} columns, the first line has {}", values.size(), first.size()), "each line needs the same columns; quote values that hold the delimiter",
                  text.where());
    }
    SequenceRecord record;
    record.sequence = values[*layout.sequence];
    const auto where = fmt::format("{}, column {}", text.where(), *layout.sequence + 1);
    if (record.sequence.empty()) throw Error(ErrorKind::data, "genomics.table", "the sequence is empty", "remove the line, or give its sequence", where);
    require_nucleotides(record.sequence, where);
    record.sequence = normalised(record.sequence);
    if (layout.label) record.label = values[*layout.label];
    if (layout.name) record.name = values[*layout.name];
    if (layout.split) record.split = values[*layout.split];
    if (layout.split && record.split.empty())
      throw Error(ErrorKind::data, "genomics.table", "the split is empty", "name the part of every line, or take the column away", fmt::format("{}, column {}", text.where(), *layout.split + 1));
    record.line = text.line_number();
    records.push_back(std::move(record));
  }
  if (records.empty()) throw Error(ErrorKind::data, "genomics.table", "the table has a header and no line", "give at least one sequence", text.path().string());
  return records;
}

}  // namespace

std::vector<SequenceRecord> read_sequences(const std::filesystem::path& path, const TableColumns& columns) {
  {
    TextInput text(path);
    std::string_view line;
    if (text.next(line) && !line.empty() && line.front() != '>') return read_table(text, line, columns);
  }
  std::vector<SequenceRecord> records;
  for (auto& r : read_fasta(path)) records.push_back({std::move(r.name), {}, {}, normalised(r.sequence), r.line});
  return records;
}

}  // namespace tenon::genomics
