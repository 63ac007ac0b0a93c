#include "genomics/io/vcf.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "genomics/io/letters.hpp"
#include "genomics/io/text_input.hpp"
#include "tenon/error.hpp"
#include "tenon/params.hpp"

namespace tenon::genomics {
namespace {

bool is_bases(std::string_view s) {
  return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) { return base_code(c) != kNoBase; });
}

bool same_letters(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return (x & ~32) == (y & ~32); });
}

void cut(std::string_view text, char delimiter, std::vector<std::string_view>& out) {
  out.clear();
  for (std::size_t at = 0;;) {
    auto end = text.find(delimiter, at);
    out.push_back(text.substr(at, end == std::string_view::npos ? end : end - at));
    if (end == std::string_view::npos) return;
    at = end + 1;
  }
}

bool to_number(std::string_view text, std::int64_t& value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

/// t[p[, t]p], ]p]t, [p[t: bases (or '.') and, in two brackets of a kind, the place contig:position that they are joined to.
bool is_joined(std::string_view alt) {
  const auto open = alt.find_first_of("[]");
  if (open == std::string_view::npos) return false;
  const auto close = alt.find_first_of("[]", open + 1);
  if (close == std::string_view::npos || alt[open] != alt[close]) return false;
  const auto place = alt.substr(open + 1, close - open - 1);
  const auto colon = place.rfind(':');
  std::int64_t position = -1;
  if (colon == std::string_view::npos || colon == 0 || !to_number(place.substr(colon + 1), position) || position < 0) return false;
  const auto before = alt.substr(0, open), after = alt.substr(close + 1);
  const auto bases = before.empty() ? after : before;
  return (before.empty() || after.empty()) && (bases == "." || is_bases(bases));
}

/// Nothing where `alt` is no ALT entry of the VCF specification.
std::optional<AltKind> kind_of(std::string_view alt, std::string_view ref) {
  if (alt == ".") return AltKind::missing;
  if (alt == "*") return AltKind::star;
  if (is_bases(alt)) return same_letters(alt, ref) ? AltKind::same_as_ref : AltKind::bases;
  if (alt.size() > 2 && alt.front() == '<' && alt.back() == '>') return AltKind::symbolic;
  if (is_joined(alt)) return AltKind::breakend;
  if (alt.size() > 1 && (alt.front() == '.' || alt.back() == '.') && is_bases(alt.front() == '.' ? alt.substr(1) : alt.substr(0, alt.size() - 1))) return AltKind::breakend;
  return std::nullopt;
}

}  // namespace

const char* name_of(AltKind kind) {
  switch (kind) {
    case AltKind::bases: return "bases";
    case AltKind::same_as_ref: return "same_as_ref";
    case AltKind::symbolic: return "symbolic";
    case AltKind::star: return "star";
    case AltKind::missing: return "missing";
    default: return "breakend";
  }
}

VcfReader::VcfReader(const std::filesystem::path& path, const VcfRules& rules) : text_(std::make_unique<TextInput>(path)), rules_(rules) { read_header(); }
VcfReader::~VcfReader() = default;

void VcfReader::fail(const VcfRecord& r, const std::string& what, const std::string& hint) const { throw Error(ErrorKind::data, "genomics.vcf", what, hint, r.where); }

bool VcfReader::next(VcfRecord& r) {
  std::string_view line;
  if (!text_->next(line)) return false;
  r.number = ++number_;
  r.where = fmt::format("{}: record {}", text_->where(), number_);
  r.line = std::string(line);
  if (r.line.empty()) {
    const auto where = r.where;
    while (text_->next(line))
      if (!line.empty()) throw Error(ErrorKind::data, "genomics.vcf", "a blank line between records", "remove it", where);
    return false;
  }
  if (r.line.find('\0') != std::string::npos) fail(r, "a NUL byte", "the file is damaged: copy or write it again");
  cut(r.line, '\t', r.columns);
  if (r.columns.size() != column_count_) {
    fail(r, fmt::format("{} columns, the #CHROM line has {} ({})", r.columns.size(), column_count_, text_->place()),
         r.columns.size() == 1 && r.line.find(' ') != std::string::npos ? "VCF needs tabs between columns" : "was the line cut?");
  }
  check_position(r);
  check_alleles(r);
  check_keys(r);
  check_info(r);
  check_samples(r);
  check_genotypes(r);
  check_order(r);
  return true;
}

void VcfReader::check_position(VcfRecord& r) {
  r.contig = r.columns[0];
  if (r.contig.empty()) fail(r, "CHROM is empty", "name the contig");
  std::int64_t pos = 0;
  if (!to_number(r.columns[1], pos)) fail(r, fmt::format("POS '{}' is no whole number", r.columns[1]), "positions count from 1");
  if (pos < 0) fail(r, fmt::format("POS {} is negative", pos), "positions count from 1");
  r.position = pos - 1;
  auto declared = header_.contigs.find(std::string(r.contig));
  std::int64_t length = declared == header_.contigs.end() ? -1 : declared->second;
  if (rules_.genome) {
    try {
      contig_ = rules_.genome->find(r.contig, rules_.aliases);
    } catch (const Error& e) {
      throw Error(e.kind(), e.code(), e.message() + " in the reference", e.hint(), r.where);
    }
    const auto real = rules_.genome->length(contig_);
    if (length >= 0 && length != real) fail(r, fmt::format("the header says that '{}' has {} bases, the reference has {}", r.contig, length, real), "is it the right reference?");
    length = real;
  } else if (declared == header_.contigs.end() && !header_.contigs.empty()) {
    std::vector<std::string> names;
    for (const auto& [name, n] : header_.contigs) names.push_back(name);
    throw Error(ErrorKind::data, "genomics.contig", fmt::format("the header declares no contig '{}'", r.contig), suggestion(r.contig, names), r.where);
  }
  if (length < 0) return;
  if (r.position > length) fail(r, fmt::format("POS {} is past the end of '{}', which has {} bases", pos, r.contig, length), "is it the right reference?");
  const auto end = r.position + std::int64_t(r.columns[3].size());
  // The spec's telomeres, POS 0 and length + 1, hold no bases of the contig.
  const bool telomere = r.position < 0 || r.position == length;
  if (!telomere && end > length) fail(r, fmt::format("REF '{}' at {} runs past the end of '{}', which has {} bases", r.columns[3], pos, r.contig, length), "is it the right reference?");
}

void VcfReader::check_alleles(VcfRecord& r) {
  r.ref = r.columns[3];
  if (!is_bases(r.ref)) fail(r, fmt::format("REF '{}' holds letters that are no nucleotides", r.ref), "REF is one or more of A C G T N");
  cut(r.columns[4], ',', r.alts);
  r.kinds.clear();
  for (auto alt : r.alts) {
    auto kind = kind_of(alt, r.ref);
    if (!kind) fail(r, fmt::format("ALT '{}' is no allele", alt), "ALT is bases, *, ., <...> or a breakend");
    r.kinds.push_back(*kind);
  }
  if (r.alts.size() > 1 && std::find(r.kinds.begin(), r.kinds.end(), AltKind::missing) != r.kinds.end()) fail(r, "ALT has '.' beside other alleles", "'.' means that there is no ALT");
  const bool telomere = r.position < 0 || (rules_.genome && r.position == rules_.genome->length(contig_));
  for (auto kind : r.kinds)
    if (telomere && (kind == AltKind::bases || kind == AltKind::same_as_ref)) fail(r, fmt::format("POS {} is no base of the contig", r.position + 1), "only breakends and symbolic alleles may stand at a telomere");
  for (std::size_t i = 1; i < r.alts.size(); ++i)
    if (std::any_of(r.alts.begin(), r.alts.begin() + std::ptrdiff_t(i), [&](auto other) { return same_letters(other, r.alts[i]); })) {
      ++warnings_["ALT names an allele twice"];
      break;
    }
  if (r.columns[5] != ".") {
    double q = 0;
    auto [end, error] = std::from_chars(r.columns[5].data(), r.columns[5].data() + r.columns[5].size(), q);
    if (error != std::errc() || end != r.columns[5].data() + r.columns[5].size() || std::isnan(q)) fail(r, fmt::format("QUAL '{}' is no number", r.columns[5]), "a number, or '.'");
    if (q < 0) ++warnings_["QUAL is negative"];
    if (std::isinf(q)) ++warnings_["QUAL is infinite"];
  }
}

void VcfReader::check_keys(const VcfRecord& r) {
  std::vector<std::string_view> keys;
  auto note = [&](const char* kind, std::string_view key) { ++undeclared_[fmt::format("{} {}", kind, key)]; };
  if (r.columns[2].empty()) fail(r, "ID is empty", "write '.' where there is none");
  if (r.columns[6].empty()) fail(r, "FILTER is empty", "write '.' where there is none");
  if (r.columns[7].empty()) fail(r, "INFO is empty", "write '.' where there is none");
  if (r.columns[6] != ".") {
    cut(r.columns[6], ';', keys);
    for (auto key : keys)
      if (!header_.filter.count(std::string(key))) note("FILTER", key);
    if (keys.size() > 1 && std::find(keys.begin(), keys.end(), "PASS") != keys.end()) ++warnings_["FILTER holds PASS beside filters that were not passed"];
  }
  if (r.columns[7] != ".") {
    cut(r.columns[7], ';', keys);
    for (auto key : keys)
      if (auto name = key.substr(0, key.find('=')); !name.empty() && !header_.info.count(std::string(name))) note("INFO", name);
  }
  if (r.columns.size() > 8 && r.columns[8] != ".") {
    cut(r.columns[8], ':', keys);
    for (auto key : keys)
      if (!header_.format.count(std::string(key))) note("FORMAT", key);
  }
}

void VcfReader::check_genotypes(const VcfRecord& r) {
  if (r.columns.size() < 10 || (r.columns[8] != "GT" && !r.columns[8].starts_with("GT:"))) return;
  const std::int64_t alleles = std::int64_t(r.alts.size()) + 1;  // "." counts: some callers write 0/1 beside it
  for (std::size_t c = 9; c < r.columns.size(); ++c) {
    const std::string_view gt = r.columns[c].substr(0, r.columns[c].find(':'));
    for (std::size_t at = 0; at <= gt.size();) {
      const auto end = std::min(gt.find_first_of("/|", at), gt.size());
      const auto call = gt.substr(at, end - at);
      std::int64_t n = 0;
      // VCF 4.4 allows a phasing mark before the first call.
      if (call != "." && !(call.empty() && at == 0 && end < gt.size())) {
        if (!to_number(call, n) || n < 0) fail(r, fmt::format("genotype '{}' of sample '{}' is none", gt, header_.samples[c - 9]), "allele numbers or '.', between / or |");
        if (n >= alleles) fail(r, fmt::format("genotype '{}' of sample '{}' names allele {}, the row has {} ALT", gt, header_.samples[c - 9], n, alleles - 1), "0 is REF, 1 the first ALT");
      }
      at = end + 1;
    }
  }
}

void VcfReader::check_order(const VcfRecord& r) {
  if (!rules_.sorted) return;
  auto unsorted = [&](const std::string& what) { throw Error(ErrorKind::data, "genomics.unsorted", what, "sort it: bcftools sort", r.where); };
  if (r.contig != last_contig_) {
    if (!contigs_seen_.emplace(r.contig).second) unsorted(fmt::format("records of '{}' stand in two places", r.contig));
  } else if (r.position < last_position_) {
    unsorted(fmt::format("position {} of record {} comes after {} of record {}", r.position + 1, number_, last_position_ + 1, number_ - 1));
  }
  last_contig_ = std::string(r.contig);
  last_position_ = r.position;
}

}  // namespace tenon::genomics
