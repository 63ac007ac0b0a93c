#include "genomics/io/fasta.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "genomics/io/letters.hpp"
#include "genomics/io/text_input.hpp"
#include "tenon/error.hpp"

namespace tenon::genomics {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string_view trimmed(std::string_view s) {
  while (!s.empty() && is_blank(s.front())) s.remove_prefix(1);
  while (!s.empty() && is_blank(s.back())) s.remove_suffix(1);
  return s;
}

class FastaParser {
 public:
  FastaParser(const std::filesystem::path& path, bool random_access, const FastaVisitor& visitor) : text_(path), random_access_(random_access), visitor_(visitor) {
    if (text_.packing() == Packing::bgzf) text_.keep_blocks();
  }

  std::vector<FastaIndexEntry> run() {
    std::string_view line;
    std::uint64_t length = 0;
    while (text_.next(line)) {
      length = text_.line_offset() + line.size() + text_.line_end();
      if (!line.empty() && line.front() == '>') header(line);
      else if (line.empty()) blank_ = blank_ ? blank_ : text_.line_number();
      else bases(line);
    }
    if (text_.line_number() == 0) fail("the file is empty: no sequence", "", text_.path().string());
    if (entries_.empty()) fail("no sequence", "", text_.path().string());
    end_record();
    require_fresh_index(text_.path(), indexed());
    if (text_.packing() == Packing::bgzf) require_fresh_block_index(text_.path(), text_.blocks(), length);
    return std::move(entries_);
  }

 private:
  [[noreturn]] void fail(const std::string& what, const std::string& hint, const std::string& where) { throw Error(ErrorKind::data, "genomics.fasta", what, hint, where); }
  std::string record() const { return fmt::format("record {} ('{}')", entries_.size(), entries_.back().name); }

  /// As samtools indexes it: records by the first word of their header, of those of one name the first.
  std::vector<FastaIndexEntry> indexed() const {
    std::vector<FastaIndexEntry> out;
    std::set<std::string_view> seen;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (!seen.insert(words_[i]).second) continue;
      out.push_back(entries_[i]);
      out.back().name = words_[i];
    }
    return out;
  }

  void end_record() {
    if (entries_.empty()) return;
    if (entries_.back().length == 0) fail(record() + " holds no sequence", "remove its header, or give its sequence", text_.where(header_line_));
  }

  void header(std::string_view line) {
    end_record();
    std::string_view rest = line.substr(1);
    const std::string_view first_word = rest.substr(0, std::min(rest.find_first_of(" \t"), rest.size()));
    std::string whole;  // a set's records are called by their whole header, in which a tab is a blank
    if (!random_access_) {
      whole = std::string(trimmed(rest));
      std::replace(whole.begin(), whole.end(), '\t', ' ');
    }
    const std::string_view name = random_access_ ? first_word : std::string_view(whole);
    if (name.empty()) throw Error(ErrorKind::data, "genomics.name", fmt::format("the header of record {} has no name", entries_.size() + 1), "write >NAME", text_.where());
    if (auto control = std::find_if(name.begin(), name.end(), [](unsigned char c) { return c < 32 || c == 127; }); control != name.end()) {
      throw Error(ErrorKind::data, "genomics.name", fmt::format("the header of record {} holds the control byte 0x{:02x} at {}", entries_.size() + 1, *control, text_.place(1 + std::size_t(control - name.begin()))),
                  "names are printable text", text_.where());
    }
    if (random_access_) {
      auto [it, fresh] = lines_.emplace(std::string(name), text_.line_number());
      if (!fresh) {
        throw Error(ErrorKind::data, "genomics.name", fmt::format("the name '{}' stands twice, in lines {} and {}", name, it->second, text_.line_number()), "give each sequence a name of its own",
                    text_.where());
      }
    }
    words_.emplace_back(first_word.empty() ? name : first_word);
    entries_.push_back({std::string(name), 0, std::int64_t(text_.line_offset() + line.size() + text_.line_end()), 0, 0});
    header_line_ = text_.line_number();
    blank_ = 0;
    short_line_ = 0;
    if (visitor_.record) visitor_.record(name, header_line_);
  }

  void bases(std::string_view line) {
    if (entries_.empty()) fail("the first line is no header: it must begin with '>'", "is it FASTA? a header line >NAME comes before each sequence", text_.where());
    if (blank_) fail("a blank line inside " + record(), "remove the line", text_.where(blank_));
    check_letters(line);
    auto& entry = entries_.back();
    if (short_line_) {
      fail(fmt::format("ragged lines in {}: line {} has {} letters, the lines before it {}", record(), short_line_, short_length_, entry.line_bases),
           "write it again with lines of one length, for example with seqkit seq -w 60", text_.where(short_line_));
    }
    if (entry.length == 0) {
      entry.line_bases = std::int64_t(line.size());
      entry.line_width = std::int64_t(line.size() + text_.line_end());
    } else if (std::int64_t(line.size()) > entry.line_bases || (text_.ended_by_lf() && std::int64_t(text_.line_end()) != entry.line_width - entry.line_bases)) {
      fail(fmt::format("ragged lines in {}: this line has {} letters and {} bytes of line end, the lines before it {} and {}", record(), line.size(), text_.line_end(), entry.line_bases,
                       entry.line_width - entry.line_bases),
           "write it again with lines of one length, for example with seqkit seq -w 60", text_.where());
    }
    if (std::int64_t(line.size()) < entry.line_bases) short_line_ = text_.line_number(), short_length_ = line.size();
    entry.length += std::int64_t(line.size());
    if (visitor_.bases) visitor_.bases(line);
  }

  void check_letters(std::string_view line) {
    std::uint8_t worst = 0;
    for (char c : line) worst = std::max(worst, base_code(c));
    if (worst != kNoBase) return;
    const std::size_t column = std::size_t(std::find_if(line.begin(), line.end(), [](char c) { return base_code(c) == kNoBase; }) - line.begin());
    const auto where = fmt::format("{}: {}", text_.where(), record());
    try {
      require_nucleotides(line, where);
    } catch (const Error& e) {
      throw Error(e.kind(), e.code(), fmt::format("{} (base {} of the record, {})", e.message(), entries_.back().length + std::int64_t(column) + 1, text_.place(column)), e.hint(), where);
    }
  }

  TextInput text_;
  bool random_access_;
  const FastaVisitor& visitor_;
  std::vector<FastaIndexEntry> entries_;
  std::vector<std::string> words_;  ///< first words of the headers of entries_
  std::unordered_map<std::string, std::uint64_t> lines_;
  std::uint64_t header_line_ = 0, blank_ = 0, short_line_ = 0;
  std::size_t short_length_ = 0;
};

}  // namespace

std::vector<FastaIndexEntry> visit_fasta(const std::filesystem::path& path, bool random_access, const FastaVisitor& visitor) {
  return FastaParser(path, random_access, visitor).run();
}

std::vector<FastaRecord> read_fasta(const std::filesystem::path& path) {
  std::vector<FastaRecord> records;
  FastaVisitor visitor;
  visitor.record = [&](std::string_view name, std::uint64_t line) { records.push_back({std::string(name), {}, line}); };
  visitor.bases = [&](std::string_view letters) { records.back().sequence += letters; };
  visit_fasta(path, false, visitor);
  return records;
}

}  // namespace tenon::genomics
