#include "genomics/io/fasta_index.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "genomics/io/text_input.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

namespace tenon::genomics {
namespace {

std::filesystem::path with_suffix(const std::filesystem::path& path, const char* suffix) { return std::filesystem::path(path.string() + suffix); }

[[noreturn]] void stale(const std::filesystem::path& index, const std::filesystem::path& fasta, const std::string& what) {
  const std::string remedy = index.extension() == ".gzi" ? "bgzip -r " + fasta.string() : "samtools faidx " + fasta.string();
  throw Error(ErrorKind::data, "genomics.stale_index", "the index does not belong to the file beside it: " + what, "remove it, or build it again: " + remedy, index.string());
}

bool to_number(std::string_view text, std::int64_t& value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= 0;
}

}  // namespace

std::vector<FastaIndexEntry> read_fasta_index(const std::filesystem::path& path) {
  TextInput text(path);
  std::vector<FastaIndexEntry> entries;
  std::string_view line;
  while (text.next(line)) {
    FastaIndexEntry entry;
    std::int64_t* numbers[] = {&entry.length, &entry.offset, &entry.line_bases, &entry.line_width};
    bool good = true;
    std::size_t tab = line.find('\t');
    entry.name = std::string(line.substr(0, tab));
    for (auto* number : numbers) {
      if (tab == std::string_view::npos) {
        good = false;
        break;
      }
      std::size_t end = line.find('\t', tab + 1);
      good = good && to_number(line.substr(tab + 1, end == std::string_view::npos ? end : end - tab - 1), *number);
      tab = end;
    }
    if (!good || entry.name.empty() || tab != std::string_view::npos) {
      throw Error(ErrorKind::data, "genomics.index", "no line of a .fai: name, length, offset, bases a line, bytes a line, between tabs",
                  "remove the index, or build it again with samtools faidx", text.where());
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

void require_fresh_index(const std::filesystem::path& fasta, const std::vector<FastaIndexEntry>& found) {
  const auto path = with_suffix(fasta, ".fai");
  if (!file_exists(path)) return;
  const auto entries = read_fasta_index(path);
  for (std::size_t i = 0; i < std::min(entries.size(), found.size()); ++i) {
    const auto &e = entries[i], &f = found[i];
    if (e.name != f.name) stale(path, fasta, fmt::format("line {} has '{}', the file's record {} is '{}'", i + 1, e.name, i + 1, f.name));
    if (e.length != f.length) stale(path, fasta, fmt::format("'{}' has {} bases in the index and {} in the file", e.name, e.length, f.length));
    if (e.offset != f.offset) stale(path, fasta, fmt::format("'{}' begins at byte {} in the index and {} in the file", e.name, e.offset, f.offset));
    // Of a record of one line, whose width nothing depends on, writers of indexes differ.
    bool one_line = f.length <= f.line_bases;
    if (e.line_bases != f.line_bases || (!one_line && e.line_width != f.line_width) || e.line_width < e.line_bases) {
      stale(path, fasta, fmt::format("'{}' has lines of {} bases and {} bytes in the index, of {} and {} in the file", e.name, e.line_bases, e.line_width, f.line_bases, f.line_width));
    }
  }
  if (entries.size() != found.size()) stale(path, fasta, fmt::format("it lists {} sequences, the file has {}", entries.size(), found.size()));
}

void require_fresh_block_index(const std::filesystem::path& fasta, const std::vector<std::pair<std::uint64_t, std::uint64_t>>& blocks, std::uint64_t length) {
  const auto path = with_suffix(fasta, ".gzi");
  auto info = files().stat(path);
  if (!info) return;
  auto bytes = read_file(path);
  auto number = [&](std::size_t at) {
    std::uint64_t v = 0;
    for (int i = 7; i >= 0; --i) v = v << 8 | std::to_integer<std::uint64_t>(bytes[at + std::size_t(i)]);
    return v;
  };
  if (bytes.size() < 8) stale(path, fasta, fmt::format("{} bytes are too few", bytes.size()));
  const std::uint64_t count = number(0);
  if ((bytes.size() - 8) % 16 != 0 || count != (bytes.size() - 8) / 16) {
    stale(path, fasta, fmt::format("it claims {} entries and has {} bytes, room for {}", count, bytes.size(), (bytes.size() - 8) / 16));
  }
  if (count + 1 < blocks.size()) stale(path, fasta, fmt::format("it lists {} blocks, the file has {}", count + 1, blocks.size()));
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t packed = number(8 + 16 * i), unpacked = number(16 + 16 * i);
    if (i + 1 < blocks.size() ? blocks[i + 1] != std::pair(unpacked, packed) : unpacked != length) {
      stale(path, fasta, fmt::format("entry {} points to byte {}, where no block begins", i + 1, packed));
    }
  }
}

}  // namespace tenon::genomics
