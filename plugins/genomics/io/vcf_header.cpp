#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "genomics/io/text_input.hpp"
#include "genomics/io/vcf.hpp"
#include "tenon/error.hpp"

namespace tenon::genomics {
namespace {

/// Value of `key` in the angle brackets of a meta line; quotes may hold commas.
std::string value_of(std::string_view line, std::string_view key) {
  auto open = line.find('<');
  if (open == std::string_view::npos) return {};
  std::size_t at = open + 1;
  while (at < line.size() && line[at] != '>') {
    auto equals = line.find('=', at);
    if (equals == std::string_view::npos) return {};
    const auto name = line.substr(at, equals - at);
    std::size_t end = equals + 1;
    if (end < line.size() && line[end] == '"') {
      ++end;
      while (end < line.size() && line[end] != '"') end += line[end] == '\\' ? 2 : 1;
      end = std::min(end + 1, line.size());
    } else {
      while (end < line.size() && line[end] != ',' && line[end] != '>') ++end;
    }
    if (name == key) return std::string(line.substr(equals + 1, end - equals - 1));
    at = end < line.size() && line[end] == ',' ? end + 1 : end;
  }
  return {};
}

}  // namespace

/// Twice alike is passed over; twice in different ways leaves no way to read the values.
void VcfReader::declare(VcfFields& fields, const char* kind, const std::string& id, VcfField field) {
  const auto fail = [&](const std::string& what, const std::string& hint) { throw Error(ErrorKind::data, "genomics.vcf_header", what, hint, text_->where()); };
  if (id.empty()) fail(fmt::format("{} without ID", kind), fmt::format("write ##{}=<ID=name,Number=...,Type=...,Description=\"...\">", kind));
  const auto [at, fresh] = fields.emplace(id, field);
  if (fresh) return;
  if (at->second.type != field.type || at->second.number != field.number)
    fail(fmt::format("{} {} is declared twice: {} values of {}, {} of {}", kind, id, at->second.number, at->second.type, field.number, field.type), "remove one of the lines");
  ++warnings_[fmt::format("{} {} is declared twice", kind, id)];
}

void VcfReader::read_header() {
  auto& text = *text_;
  std::string_view line;
  auto fail = [&](const std::string& what, const std::string& hint) { throw Error(ErrorKind::data, "genomics.vcf_header", what, hint, text.where()); };
  bool columns = false;
  while (!columns && text.next(line)) {
    if (text.line_number() == 1) {
      if (line.starts_with("BCF")) fail("the file is BCF", "convert it: bcftools view -Oz -o FILE.vcf.gz");
      if (!line.starts_with("##fileformat=VCFv4")) fail("the first line is not ##fileformat=VCFv4...", "is it VCF, version 4?");
      if (line.size() > 19) std::from_chars(line.data() + 19, line.data() + line.size(), header_.minor_version);
    }
    if (line.find('\0') != std::string_view::npos) fail("a NUL byte in the header", "the file is damaged: copy or write it again");
    if (line.starts_with("##")) {
      header_.meta.emplace_back(line);
      if (const auto equals = line.find('='); line.substr(std::min(equals, line.size() - 1) + 1).starts_with('<') && !line.ends_with('>'))
        fail("a line of the header opens with '<' and does not end in '>'", "close it; was it cut?");
      const std::string id = value_of(line, "ID");
      if (line.starts_with("##contig=")) {
        if (id.empty()) fail("a contig without ID", "write ##contig=<ID=name,length=bases>");
        const auto length = value_of(line, "length");
        std::int64_t n = -1;
        if (!length.empty()) {
          auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), n);
          if (error != std::errc() || *end != 0 || n < 0) fail(fmt::format("the length '{}' of contig '{}' is no number", length, id), "write length=bases");
        }
        if (!header_.contigs.emplace(id, n).second) fail(fmt::format("contig '{}' is declared twice", id), "remove one of the lines");
      }
      if (line.starts_with("##INFO=")) declare(header_.info, "INFO", id, {value_of(line, "Type"), value_of(line, "Number")});
      if (line.starts_with("##FILTER=")) header_.filter.insert(id);
      if (line.starts_with("##FORMAT=")) declare(header_.format, "FORMAT", id, {value_of(line, "Type"), value_of(line, "Number")});
    } else if (line.starts_with("#CHROM\t")) {
      columns = true;
    } else {
      fail("the #CHROM line is missing", "the line #CHROM POS ID REF ALT QUAL FILTER INFO (between tabs) must stand before the records");
    }
  }
  if (!columns) throw Error(ErrorKind::data, "genomics.vcf_header", "the file ends before the #CHROM line", "is it VCF? was it cut?", text.path().string());
  header_.columns = std::string(line);
  std::vector<std::string> names;
  for (std::size_t at = 0; at <= header_.columns.size();) {
    auto tab = std::min(header_.columns.find('\t', at), header_.columns.size());
    names.push_back(header_.columns.substr(at, tab - at));
    at = tab + 1;
  }
  const std::vector<std::string> fixed = {"#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO"};
  if (names.size() < 8 || !std::equal(fixed.begin(), fixed.end(), names.begin()) || (names.size() > 8 && names[8] != "FORMAT")) {
    fail("the #CHROM line does not name the fixed columns", "#CHROM POS ID REF ALT QUAL FILTER INFO [FORMAT samples], between tabs");
  }
  for (std::size_t i = 9; i < names.size(); ++i) {
    if (names[i].empty()) fail(fmt::format("sample {} has no name", i - 8), "name it");
    if (std::find(header_.samples.begin(), header_.samples.end(), names[i]) != header_.samples.end()) fail(fmt::format("sample '{}' is named twice", names[i]), "give each sample a name of its own");
    header_.samples.push_back(names[i]);
  }
  column_count_ = names.size();
  header_.filter.insert("PASS");
}

}  // namespace tenon::genomics
