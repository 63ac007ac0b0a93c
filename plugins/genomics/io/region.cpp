#include "genomics/io/region.hpp"

#include <fmt/format.h>

#include <string>

#include "tenon/error.hpp"

namespace tenon::genomics {
namespace {

constexpr std::int64_t kLargest = std::int64_t(1) << 60;

[[noreturn]] void fail(std::string_view text, const std::string& what) {
  throw Error(ErrorKind::data, "genomics.region", fmt::format("'{}': {}", text, what), "write contig, contig:start or contig:start-end, counted from 1, both ends included");
}

std::int64_t number(std::string_view digits, std::string_view text) {
  std::int64_t value = 0;
  bool any = false;
  for (char c : digits) {
    if (c == ',') continue;
    if (c < '0' || c > '9') fail(text, fmt::format("'{}' is no number", digits));
    value = value * 10 + (c - '0');
    any = true;
    if (value > kLargest) fail(text, fmt::format("'{}' is too large", digits));
  }
  if (!any) fail(text, "a number is missing");
  return value;
}

/// "5", "5-", "1,000-2,000": what may follow the colon.
bool looks_like_range(std::string_view text) {
  return !text.empty() && text.front() >= '0' && text.front() <= '9' && text.find_first_not_of("0123456789,-") == std::string_view::npos;
}

}  // namespace

Window parse_region(std::string_view text, const Genome& genome, bool aliases) {
  std::string_view name = text, range;
  bool ranged = false;
  const auto colon = text.rfind(':');
  const bool has_colon = colon != std::string_view::npos;
  if (genome.has(text)) {
    if (has_colon && looks_like_range(text.substr(colon + 1)) && genome.has(text.substr(0, colon), aliases)) {
      const auto contig = text.substr(0, colon), places = text.substr(colon + 1);
      throw Error(ErrorKind::data, "genomics.region", fmt::format("'{}' is a contig, and also {} of the contig '{}'", text, places, contig),
                  fmt::format("write {{{}}} for the whole contig, {{{}}}:{} for the region", text, contig, places));
    }
  } else if (text.starts_with('{')) {
    auto close = text.find('}');
    if (close == std::string_view::npos) fail(text, "the brace is not closed");
    name = text.substr(1, close - 1);
    ranged = close + 1 < text.size();
    if (ranged && text[close + 1] != ':') fail(text, "after the brace a colon is wanted");
    if (ranged) range = text.substr(close + 2);
  } else if (has_colon) {
    name = text.substr(0, colon);
    range = text.substr(colon + 1);
    ranged = true;
  }
  const std::size_t contig = genome.find(name, aliases);
  if (!ranged) return {contig, 0, genome.length(contig)};
  const auto dash = range.find('-');
  const std::int64_t start = number(range.substr(0, dash), text);
  const std::int64_t end = dash == std::string_view::npos ? genome.length(contig) : number(range.substr(dash + 1), text);
  if (start < 1) fail(text, "positions count from 1");
  if (dash == std::string_view::npos && start > end) fail(text, fmt::format("the contig has {} bases", end));
  if (end < start) fail(text, "the region ends before it starts");
  return {contig, start - 1, end};
}

}  // namespace tenon::genomics
