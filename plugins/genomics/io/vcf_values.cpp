/// Values of INFO and of samples against what the header declares: bcftools reads "1.5" of an Integer as 1 and "abc" of a Float as missing.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "genomics/io/vcf.hpp"
#include "tenon/error.hpp"

namespace tenon::genomics {
namespace {

/// Calls `use` with each part of the text between delimiters; an empty text has one.
void each(std::string_view text, char delimiter, const auto& use) {
  for (std::size_t at = 0;;) {
    const auto end = text.find(delimiter, at);
    use(text.substr(at, end == std::string_view::npos ? end : end - at));
    if (end == std::string_view::npos) return;
    at = end + 1;
  }
}

enum class Number { good, large, none };

template <class T>
Number parsed(std::string_view text, T& value) {
  if (text.starts_with('+') && text.size() > 1 && text[1] != '-') text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size() || error == std::errc::invalid_argument) return Number::none;
  return error == std::errc() ? Number::good : Number::large;
}

/// Does a declared Number allow so many values for so many alternative alleles? Of samples of any ploidy up to two.
bool is_allowed(std::string_view number, std::size_t values, std::size_t alternatives, bool in_info) {
  const std::size_t alleles = alternatives + 1;
  if (number == "A") return values == alternatives;
  if (number == "R") return values == alleles;
  if (number == "G") return values == alleles * (alleles + 1) / 2 || (!in_info && values == alleles);
  std::size_t count = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), count);
  return error != std::errc() || end != number.data() + number.size() || values == count;
}

}  // namespace

void VcfReader::check_count(const VcfRecord& r, bool in_info, std::string_view key, const VcfField& field, std::string_view value) {
  if (field.type == "Flag" || value == "." || value.empty()) return;
  const std::size_t values = 1 + std::size_t(std::count(value.begin(), value.end(), ',')), alternatives = r.kinds.size() == 1 && r.kinds[0] == AltKind::missing ? 0 : r.alts.size();
  if (!is_allowed(field.number, values, alternatives, in_info))
    ++warnings_[fmt::format("{} {} has another number of values than its Number={} asks for", in_info ? "INFO" : "FORMAT", key, field.number)];
}

/// END, counted from 1: htslib takes one before POS for missing.
void VcfReader::check_end(const VcfRecord& r, std::string_view value) {
  std::int64_t end = 0;
  if (parsed(value, end) != Number::good) return;
  if (end <= r.position) ++warnings_["INFO END lies before POS, and other programs ignore it"];
  const auto declared = header_.contigs.find(std::string(r.contig));
  if (declared != header_.contigs.end() && declared->second >= 0 && end > declared->second) ++warnings_["INFO END lies past the end of its contig"];
}

void VcfReader::check_value(const VcfRecord& r, bool in_info, std::string_view key, const VcfField& field, std::string_view value) {
  const bool integer = field.type == "Integer";
  if (!integer && field.type != "Float") return;
  each(value, ',', [&](std::string_view one) {
    if (one == "." || one.empty()) return;
    std::int64_t whole = 0;
    double real = 0;
    const Number number = integer ? parsed(one, whole) : parsed(one, real);
    // Files of good repute (NIST's of NA12878) hold words in INFO Integers; no sample does.
    if (number == Number::none && in_info) {
      ++warnings_[fmt::format("INFO {} holds what is no {}, which other programs take for missing or cut short", key, field.type)];
      return;
    }
    if (number == Number::none)
      fail(r, fmt::format("FORMAT {} is '{}', and the header declares it {}", key, one, field.type), "give a number or '.', or declare another Type");
    if (integer && (number == Number::large || whole > std::numeric_limits<std::int32_t>::max() || whole < std::numeric_limits<std::int32_t>::min()))
      ++warnings_[fmt::format("{} {} holds integers of more than 32 bits, which other programs take for missing", in_info ? "INFO" : "FORMAT", key)];
  });
}

void VcfReader::check_info(const VcfRecord& r) {
  if (r.columns[7] == ".") return;
  std::vector<std::pair<std::string_view, std::string_view>> seen;
  each(r.columns[7], ';', [&](std::string_view entry) {
    const auto equals = entry.find('=');
    const auto key = entry.substr(0, equals);
    const auto value = equals == std::string_view::npos ? std::string_view() : entry.substr(equals + 1);
    if (key.find(' ') != std::string_view::npos) fail(r, fmt::format("a blank in the INFO key '{}'", key), "keys stand between semicolons, without blanks");
    if (key.empty()) {
      if (equals != std::string_view::npos) fail(r, fmt::format("INFO holds '{}', a value without a key", entry), "write key=value");
      return;
    }
    if (value.find(' ') != std::string_view::npos && header_.minor_version < 3) ++warnings_[fmt::format("INFO {} holds blanks, which VCF allows from version 4.3 on", key)];
    const auto before = std::find_if(seen.begin(), seen.end(), [&](const auto& other) { return other.first == key; });
    if (before != seen.end()) {
      if (before->second != value) fail(r, fmt::format("INFO {} stands twice, as '{}' and as '{}'", key, before->second, value), "give each key once");
      ++warnings_[fmt::format("INFO {} stands twice in a row, with one value", key)];
    }
    seen.emplace_back(key, value);
    const auto field = header_.info.find(key);
    if (field == header_.info.end()) return;
    if (equals == std::string_view::npos && !field->second.type.empty() && field->second.type != "Flag") ++warnings_[fmt::format("INFO {} has no value", key)];
    if (equals != std::string_view::npos && field->second.type == "Flag") ++warnings_[fmt::format("INFO {} is a Flag and has a value", key)];
    check_value(r, true, key, field->second, value);
    if (equals != std::string_view::npos) check_count(r, true, key, field->second, value);
    if (key == "END") check_end(r, value);
  });
}

void VcfReader::check_samples(const VcfRecord& r) {
  if (r.columns.size() < 10) return;
  std::vector<std::pair<std::string_view, const VcfField*>> keys;
  each(r.columns[8], ':', [&](std::string_view key) {
    if (std::any_of(keys.begin(), keys.end(), [&](const auto& other) { return other.first == key; })) fail(r, fmt::format("FORMAT names {} twice", key), "give each key once");
    const auto field = header_.format.find(key);
    keys.emplace_back(key, field == header_.format.end() ? nullptr : &field->second);
  });
  for (std::size_t c = 9; c < r.columns.size(); ++c) {
    std::size_t n = 0;
    each(r.columns[c], ':', [&](std::string_view value) {
      if (n < keys.size() && keys[n].second) {
        check_value(r, false, keys[n].first, *keys[n].second, value);
        check_count(r, false, keys[n].first, *keys[n].second, value);
      }
      ++n;
    });
    if (n > keys.size()) fail(r, fmt::format("sample '{}' has {} values, FORMAT names {}", header_.samples[c - 9], n, keys.size()), "was the line cut and joined?");
  }
}

}  // namespace tenon::genomics
