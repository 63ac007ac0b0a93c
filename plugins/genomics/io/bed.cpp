#include "genomics/io/bed.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "genomics/io/text_input.hpp"
#include "tenon/error.hpp"

namespace tenon::genomics {
namespace {

class BedReader {
 public:
  BedReader(const std::filesystem::path& path, const Genome* genome, PastEnd past_end, bool aliases) : text_(path), genome_(genome), past_end_(past_end), aliases_(aliases) {}

  Bed run() {
    std::string_view line;
    while (text_.next(line)) {
      if (line.empty() || line.front() == '#' || line.starts_with("track") || line.starts_with("browser")) continue;
      interval(line);
    }
    if (bed_.intervals.empty()) fail("the file holds no interval", "", text_.path().string());
    return std::move(bed_);
  }

 private:
  [[noreturn]] void fail(const std::string& what, const std::string& hint, const std::string& where) const { throw Error(ErrorKind::data, "genomics.bed", what, hint, where); }
  [[noreturn]] void fail(const std::string& what, const std::string& hint) const { fail(what, hint, text_.where()); }

  std::int64_t number(std::string_view text, const char* what) const {
    std::int64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) fail(fmt::format("{} '{}' is no whole number", what, text), "columns are contig, start, end, between tabs");
    if (value < 0) fail(fmt::format("{} {} is negative", what, value), "BED counts from 0");
    return value;
  }

  void interval(std::string_view line) {
    const auto columns = columns_of(line);
    if (columns.size() < 3) {
      if (line.find(' ') != std::string_view::npos) fail("blanks stand between the columns", "BED needs tabs: sed 's/ \\+/\\t/g'");
      fail(fmt::format("{} columns, at least 3 are needed", columns.size()), "columns are contig, start, end, between tabs");
    }
    if (columns.size() > 12) fail(fmt::format("{} columns, BED has at most 12", columns.size()), "cut the file to its first columns");
    if (count_ == 0) count_ = columns.size(), first_line_ = text_.line_number();
    if (columns.size() != count_) fail(fmt::format("{} columns, line {} has {}", columns.size(), first_line_, count_), "every line of a BED file has the same columns");
    BedInterval b;
    b.contig = std::string(columns[0]);
    if (b.contig.empty()) fail("the contig's name is empty", "columns are contig, start, end, between tabs");
    b.begin = number(columns[1], "start");
    b.end = number(columns[2], "end");
    b.line = text_.line_number();
    if (b.end < b.begin) fail(fmt::format("end {} is before start {}", b.end, b.begin), "exchange them");
    if (columns.size() > 3 && columns[3] != ".") b.name = std::string(columns[3]);
    if (columns.size() > 5) {
      if (columns[5] != "+" && columns[5] != "-" && columns[5] != ".") fail(fmt::format("strand '{}' is none of + - .", columns[5]), "write . where the strand is not known");
      b.strand = columns[5].front();
    }
    if (genome_) place(b);
    bed_.intervals.push_back(std::move(b));
  }

  void place(BedInterval& b) {
    std::size_t contig = 0;
    try {
      contig = genome_->find(b.contig, aliases_);
    } catch (const Error& e) {
      throw Error(e.kind(), e.code(), e.message() + " in the reference", e.hint(), text_.where());
    }
    b.contig = genome_->name(contig);
    const auto length = genome_->length(contig);
    if (b.end <= length || past_end_ == PastEnd::keep) return;
    if (past_end_ == PastEnd::refuse || b.begin >= length) {
      fail(fmt::format("{}:{}-{} passes the end of the contig, which has {} bases", b.contig, b.begin, b.end, length),
           b.begin >= length ? "is it the right reference?" : "is it the right reference? --clip takes the part inside, --pad=N fills with N");
    }
    bed_.clipped_bases += b.end - length;
    b.end = length;
    ++bed_.clipped;
  }

  TextInput text_;
  const Genome* genome_;
  PastEnd past_end_;
  bool aliases_;
  Bed bed_;
  std::size_t count_ = 0;
  std::uint64_t first_line_ = 0;
};

}  // namespace

Bed read_bed(const std::filesystem::path& path, const Genome* genome, PastEnd past_end, bool aliases) { return BedReader(path, genome, past_end, aliases).run(); }

}  // namespace tenon::genomics
