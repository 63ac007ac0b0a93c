#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "genomics/io/alignment_check.hpp"
#include "genomics/io/text_input.hpp"
#include "tenon/error.hpp"
#include "tenon/params.hpp"

namespace tenon::genomics {
namespace {

class SamReader {
 public:
  explicit SamReader(const std::filesystem::path& path) : text_(path) {}

  AlignmentSummary run() {
    std::string_view line;
    while (text_.next(line)) {
      if (line.find('\0') != std::string_view::npos) fail("a NUL byte");
      if (line.starts_with('@') && out_.records == 0) header(line);
      else record(line);
    }
    if (text_.line_number() == 0) throw Error(ErrorKind::data, "genomics.alignment", "the file is empty", "", text_.path().string());
    out_.contigs = std::int64_t(contigs_.size());
    return out_;
  }

 private:
  [[noreturn]] void fail(const std::string& what, const std::string& hint = "the file is damaged: write it again") const {
    throw Error(ErrorKind::data, "genomics.alignment", fmt::format("record {}: {}", out_.records + 1, what), hint, text_.where());
  }

  std::int64_t number(std::string_view text, const char* what, std::int64_t low, std::int64_t high) const {
    std::int64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) fail(fmt::format("{} '{}' is no whole number", what, text));
    if (value < low || value > high) fail(fmt::format("{} {} is outside {} to {}", what, value, low, high));
    return value;
  }

  void header(std::string_view line) {
    if (line.starts_with("@HD") && text_.line_number() != 1) fail("@HD is not the header's first line", "it stands once, before all others");
    if (!line.starts_with("@SQ")) return;
    AlignmentContig contig;
    if (auto defect = read_contig(line, contig); !defect.empty()) fail(defect);
    if (!numbers_.emplace(contig.name, std::int64_t(contigs_.size())).second) fail(fmt::format("contig '{}' stands twice in the header", contig.name));
    contigs_.push_back(std::move(contig));
  }

  /// -1 for "*".
  std::int64_t contig_number(std::string_view name) const {
    if (name == "*") return -1;
    const auto contig = numbers_.find(std::string(name));
    if (contig != numbers_.end()) return contig->second;
    std::vector<std::string> names;
    for (const auto& known : contigs_) names.push_back(known.name);
    fail(fmt::format("the header has no contig '{}'", name), suggestion(name, names));
  }

  void record(std::string_view line) {
    const auto c = columns_of(line);
    if (c.size() < 11) fail(fmt::format("{} columns, at least 11 are needed", c.size()));
    AlignedRecord r;
    r.flag = std::uint32_t(number(c[1], "FLAG", 0, 65535));
    r.contig = contig_number(c[2]);
    r.mate_contig = c[6] == "=" ? r.contig : contig_number(c[6]);
    r.position = number(c[3], "POS", 0, 2147483647) - 1;
    number(c[4], "MAPQ", 0, 255);
    r.mate_position = number(c[7], "PNEXT", 0, 2147483647) - 1;
    number(c[8], "TLEN", -2147483647, 2147483647);
    r.bases = c[9] == "*" ? 0 : std::int64_t(c[9].size());
    if (c[10] != "*" && c[10].size() != c[9].size()) fail(fmt::format("{} qualities for {} bases", c[10].size(), c[9].size()));
    if (auto bad = std::find_if(c[10].begin(), c[10].end(), [](unsigned char q) { return q < 33 || q > 126; }); bad != c[10].end()) fail(fmt::format("quality byte {} is outside 33 to 126", int(std::uint8_t(*bad))));
    cigar(c[5], r);
    if (auto defect = defect_of(r, contigs_); !defect.empty()) fail(defect);
    for (std::size_t i = 11; i < c.size(); ++i) {
      if (auto defect = defect_of_tag(c[i]); !defect.empty()) fail(defect);
      for (std::size_t before = 11; before < i; ++before)
        if (c[before].substr(0, 2) == c[i].substr(0, 2)) fail(fmt::format("its field {} stands twice", c[i].substr(0, 2)));
    }
    ++out_.records;
    out_.mapped += is_mapped(r);
  }

  void cigar(std::string_view text, AlignedRecord& r) const {
    if (text == "*") return;
    r.has_cigar = true;
    std::size_t at = 0;
    while (at < text.size()) {
      auto end = text.find_first_not_of("0123456789", at);
      if (end == at || end == std::string_view::npos) fail(fmt::format("CIGAR '{}' is none", text));
      add_cigar(r, text[end], number(text.substr(at, end - at), "CIGAR length", 0, 268435455));
      at = end + 1;
    }
  }

  TextInput text_;
  AlignmentSummary out_;
  std::vector<AlignmentContig> contigs_;
  std::unordered_map<std::string, std::int64_t> numbers_;
};

}  // namespace

void add_cigar(AlignedRecord& r, char operation, std::int64_t length) {
  switch (operation) {
    case 'M': case '=': case 'X': r.query += length, r.reference += length; break;
    case 'I': case 'S': r.query += length; break;
    case 'D': case 'N': r.reference += length; break;
    case 'H': case 'P': break;
    default: r.bad_operation = true;
  }
}

bool is_mapped(const AlignedRecord& r) { return !(r.flag & 4) && r.contig >= 0 && r.position >= 0; }

std::string defect_of(const AlignedRecord& r, const std::vector<AlignmentContig>& contigs) {
  if (r.bad_operation) return "its CIGAR holds an operation that is none";
  if (r.contig < -1 || r.contig >= std::int64_t(contigs.size())) return fmt::format("contig {} of {}", r.contig, contigs.size());
  if (r.position < -1) return fmt::format("position {}", r.position + 1);
  if (r.mate_contig < -1 || r.mate_contig >= std::int64_t(contigs.size())) return fmt::format("its mate is on contig {} of {}", r.mate_contig, contigs.size());
  if (r.mate_position < -1) return fmt::format("its mate's position {}", r.mate_position + 1);
  if (r.has_cigar && r.bases > 0 && r.query != r.bases) return fmt::format("its CIGAR covers {} of {} bases", r.query, r.bases);
  if (r.contig < 0 || r.position < 0 || (r.flag & 4)) return {};
  const auto& contig = contigs[std::size_t(r.contig)];
  if (r.position + std::max<std::int64_t>(r.reference, 1) > contig.length)
    return fmt::format("it ends at {}:{}, past the end of the contig, which has {} bases", contig.name, r.position + std::max<std::int64_t>(r.reference, 1), contig.length);
  return {};
}

AlignmentSummary check_sam(const std::filesystem::path& path) { return SamReader(path).run(); }

}  // namespace tenon::genomics
