#include "genomics/io/plink.hpp"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <string>
#include <vector>

#include "genomics/io/text_input.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

namespace tenon::genomics {
namespace {

[[noreturn]] void fail(const std::string& what, const std::string& hint, const std::string& where) { throw Error(ErrorKind::data, "genomics.plink", what, hint, where); }

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> out;
  for (std::size_t at = 0; (at = line.find_first_not_of(" \t", at)) != std::string_view::npos;) {
    auto end = std::min(line.find_first_of(" \t", at), line.size());
    out.emplace_back(line.substr(at, end - at));
    at = end;
  }
  return out;
}

std::int64_t samples_of(const std::filesystem::path& path) {
  TextInput text(path);
  std::map<std::pair<std::string, std::string>, std::uint64_t> seen;
  std::string_view line;
  while (text.next(line)) {
    const auto w = words_of(line);
    if (w.size() != 6) fail(fmt::format("{} columns, a .fam has 6", w.size()), "family, sample, father, mother, sex, phenotype", text.where());
    auto [it, fresh] = seen.emplace(std::pair(w[0], w[1]), text.line_number());
    if (!fresh) fail(fmt::format("sample '{} {}' stands twice, in lines {} and {}", w[0], w[1], it->second, text.line_number()), "give each sample ids of its own", text.where());
  }
  return std::int64_t(seen.size());
}

std::int64_t variants_of(const std::filesystem::path& path) {
  TextInput text(path);
  std::string_view line;
  std::int64_t n = 0;
  for (; text.next(line); ++n) {
    const auto w = words_of(line);
    if (w.size() != 6) fail(fmt::format("{} columns, a .bim has 6", w.size()), "contig, name, centimorgan, position, two alleles", text.where());
    std::int64_t position = 0;
    auto [end, error] = std::from_chars(w[3].data(), w[3].data() + w[3].size(), position);
    if (error != std::errc() || *end != 0) fail(fmt::format("position '{}' is no whole number", w[3]), "positions count from 1", text.where());
  }
  return n;
}

}  // namespace

PlinkSummary check_plink(const std::filesystem::path& bed) {
  require_file_name(bed);
  auto beside = [&](const char* extension) {
    auto path = bed;
    return path.replace_extension(extension);
  };
  PlinkSummary out{samples_of(beside(".fam")), variants_of(beside(".bim"))};
  auto file = files().open_read(bed);
  unsigned char head[3] = {};
  const auto got = file->read(head, 3);
  if (got < 3 || head[0] != 0x6c || head[1] != 0x1b) fail("the file does not begin with 6c 1b, the magic of a PLINK .bed", "is it a PLINK 1 file?", bed.string());
  if (head[2] == 0) fail("the file is sample-major (mode byte 0)", "write it again variant-major: plink2 --make-bed", bed.string());
  if (head[2] != 1) fail(fmt::format("mode byte {:02x}, wanted is 01", head[2]), "is it a PLINK 1 file?", bed.string());
  const std::uint64_t wanted = 3 + std::uint64_t(out.variants) * std::uint64_t((out.samples + 3) / 4), size = file->size();
  if (size != wanted) {
    fail(fmt::format("{} bytes, {} variants of {} samples need {}", size, out.variants, out.samples, wanted), "do .bed, .bim and .fam belong together? was one cut?", bed.string());
  }
  return out;
}

}  // namespace tenon::genomics
