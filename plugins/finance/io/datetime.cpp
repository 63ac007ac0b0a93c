#include "finance/io/datetime.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

namespace tenon::finance {
namespace {

struct Cursor {
  const char *at, *end;
  bool done() const { return at == end; }
  bool take(char c) {
    if (at == end || *at != c) return false;
    ++at;
    return true;
  }
  /// Between `least` and `most` digits.
  bool number(unsigned least, unsigned most, std::int64_t& out) {
    out = 0;
    unsigned n = 0;
    while (n < most && at < end && *at >= '0' && *at <= '9') out = out * 10 + (*at++ - '0'), ++n;
    return n >= least;
  }
};

bool fraction(Cursor& c, std::int64_t& ns) {
  std::int64_t unit = kNsPerSecond / 10;
  unsigned n = 0;
  for (; c.at < c.end && *c.at >= '0' && *c.at <= '9'; ++c.at, ++n) {
    if (unit == 0 && *c.at != '0') return false;  // finer than a nanosecond
    ns += unit * (*c.at - '0');
    unit /= 10;
  }
  return n > 0;
}

/// HH:MM[:SS[.fff]]; second 60 is refused: int64 nanoseconds have no leap seconds.
bool clock(Cursor& c, DateParts& parts) {
  std::int64_t h, m, s = 0, ns = 0;
  if (!c.number(1, 2, h) || !c.take(':') || !c.number(2, 2, m)) return false;
  if (c.take(':')) {
    if (!c.number(2, 2, s)) return false;
    if ((c.take('.') || c.take(',')) && !fraction(c, ns)) return false;
  }
  if (h > 23 || m > 59 || s > 59) return false;
  parts.ns = ((h * 60 + m) * 60 + s) * kNsPerSecond + ns;
  parts.has_time = true;
  return true;
}

bool zone_offset(Cursor& c, DateParts& parts) {
  if (c.take('Z')) {
    parts.has_offset = true;
    return true;
  }
  bool minus = c.at < c.end && *c.at == '-';
  if (!minus && !(c.at < c.end && *c.at == '+')) return false;
  ++c.at;
  std::int64_t h, m = 0;
  if (!c.number(2, 2, h)) return false;
  if (c.take(':') ? !c.number(2, 2, m) : (!c.done() && !c.number(2, 2, m))) return false;
  if (h > 15 || m > 59) return false;
  parts.offset_s = (minus ? -1 : 1) * (h * 3600 + m * 60);
  parts.has_offset = true;
  return true;
}

bool rest_of_time(Cursor& c, DateParts& parts) {
  if (c.done()) return true;
  if (!c.take('T') && !c.take(' ')) return false;
  if (!clock(c, parts)) return false;
  c.take(' ');
  return c.done() || (zone_offset(c, parts) && c.done());
}

}  // namespace

DateForm split_date(std::string_view cell, DateParts& parts) noexcept {
  Cursor c{cell.data(), cell.data() + cell.size()};
  std::int64_t a, b, d;
  const char* start = c.at;
  if (!c.number(1, 4, a) || c.done()) return DateForm::none;
  const auto digits = c.at - start;
  const char separator = *c.at++;
  if (digits == 4 && (separator == '-' || separator == '/')) {
    if (!c.number(separator == '-' ? 2 : 1, 2, b) || !c.take(separator) || !c.number(separator == '-' ? 2 : 1, 2, d)) return DateForm::none;
    parts = {a, unsigned(b), unsigned(d)};
    return rest_of_time(c, parts) && is_valid_date(a, unsigned(b), unsigned(d)) ? DateForm::iso : DateForm::none;
  }
  if (digits <= 2 && (separator == '/' || separator == '.')) {
    std::int64_t year;
    if (!c.number(1, 2, b) || !c.take(separator) || !c.number(4, 4, year)) return DateForm::none;
    if (separator == '/') {
      parts = {year, unsigned(a), unsigned(b)};
      bool one = is_valid_date(year, unsigned(a), unsigned(b)), other = is_valid_date(year, unsigned(b), unsigned(a));
      return rest_of_time(c, parts) && (one || other) ? DateForm::slash : DateForm::none;
    }
    parts = {year, unsigned(b), unsigned(a)};
    return rest_of_time(c, parts) && is_valid_date(year, unsigned(b), unsigned(a)) ? DateForm::dots : DateForm::none;
  }
  return DateForm::none;
}

bool split_by_format(std::string_view cell, std::string_view format, DateParts& parts) noexcept {
  static constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};
  Cursor c{cell.data(), cell.data() + cell.size()};
  parts = {1970, 1, 1};
  std::int64_t n, h = 0, m = 0, s = 0, ns = 0;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      if (!c.take(format[i])) return false;
      continue;
    }
    switch (format[++i]) {
      case 'Y':
        if (!c.number(4, 4, parts.year)) return false;
        break;
      case 'y':
        if (!c.number(2, 2, n)) return false;
        parts.year = n < 69 ? 2000 + n : 1900 + n;  // POSIX
        break;
      case 'm':
        if (!c.number(1, 2, n)) return false;
        parts.month = unsigned(n);
        break;
      case 'd':
        if (!c.number(1, 2, n)) return false;
        parts.day = unsigned(n);
        break;
      case 'b': {
        if (c.end - c.at < 3) return false;
        char word[3];
        for (int k = 0; k < 3; ++k) word[k] = char(c.at[k] | 0x20);
        auto found = std::find(kMonths.begin(), kMonths.end(), std::string_view(word, 3));
        if (found == kMonths.end()) return false;
        parts.month = unsigned(found - kMonths.begin()) + 1;
        c.at += 3;
        break;
      }
      case 'H':
        if (!c.number(1, 2, h) || h > 23) return false;
        parts.has_time = true;
        break;
      case 'M':
        if (!c.number(2, 2, m) || m > 59) return false;
        parts.has_time = true;
        break;
      case 'S':
        if (!c.number(2, 2, s) || s > 59) return false;
        if (c.take('.') && !fraction(c, ns)) return false;
        parts.has_time = true;
        break;
      case 'z':
        if (!zone_offset(c, parts)) return false;
        break;
      case '%':
        if (!c.take('%')) return false;
        break;
      default: return false;
    }
  }
  parts.ns = ((h * 60 + m) * 60 + s) * kNsPerSecond + ns;
  return c.done() && is_valid_date(parts.year, parts.month, parts.day);
}

// ---- time zones ---------------------------------------------------------------------------------------------------

namespace {

std::int64_t big_endian(const std::byte* b, int bytes) {
  std::uint64_t v = (std::to_integer<unsigned>(b[0]) & 0x80) ? ~std::uint64_t(0) : 0;
  for (int i = 0; i < bytes; ++i) v = (v << 8) | std::to_integer<std::uint64_t>(b[i]);
  return std::int64_t(v);
}

[[noreturn]] void no_zone(const std::string& name, const char* why) {
  throw Error(ErrorKind::usage, "finance.zone", fmt::format("time zone '{}' {}", name, why), "names are those of the tz database (Debian's tzdata): America/New_York, Europe/Berlin, UTC");
}

}  // namespace

TimeZone::TimeZone(const std::string& name) : name_(name) {
  if (name == "UTC" || name == "Z" || name.empty()) return;
  for (char c : name)
    if (!(std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '+' || c == '/')) no_zone(name, "is no name of a zone");
  std::filesystem::path path = std::filesystem::path("/usr/share/zoneinfo") / name;
  if (name.front() == '/' || !file_exists(path)) no_zone(name, "is not known to this system");
  auto file = read_file(path, 1 << 20);
  // Version 1 is skipped; the second block has 64-bit times.
  auto block = [&](std::size_t at, std::size_t width, std::array<std::int64_t, 6>& counts) {
    if (file.size() < at + 44 || file[at] != std::byte{'T'} || file[at + 1] != std::byte{'Z'}) no_zone(name, "has a file that is not TZif");
    for (std::size_t i = 0; i < 6; ++i) counts[i] = big_endian(&file[at + 20 + 4 * i], 4);
    for (auto n : counts)
      if (n < 0 || n > 1 << 16) no_zone(name, "has a file that is not TZif");
    auto size = 44 + std::size_t(counts[3]) * (width + 1) + std::size_t(counts[4]) * 6 + std::size_t(counts[5]) + std::size_t(counts[2]) * (width + 4) + std::size_t(counts[1] + counts[0]);
    if (file.size() < at + size) no_zone(name, "has a file that is cut");
    return at + size;
  };
  std::array<std::int64_t, 6> n{};  // isutc, isstd, leap, time, type, char
  std::size_t at = block(0, 4, n);
  if (file[4] < std::byte{'2'}) no_zone(name, "has a file of version 1");
  std::size_t end = block(at, 8, n);
  const std::size_t times = at + 44, types = times + 8 * std::size_t(n[3]), kinds = types + std::size_t(n[3]);
  auto offset_of = [&](std::size_t type) {
    if (type >= std::size_t(n[4])) no_zone(name, "has a file that is not TZif");
    return big_endian(&file[kinds + 6 * type], 4);
  };
  first_offset_ = offset_of(0);
  for (std::size_t i = 0; i < std::size_t(n[3]); ++i) transitions_.emplace_back(big_endian(&file[times + 8 * i], 8), offset_of(std::to_integer<std::size_t>(file[types + i])));
  // Behind the last transition a rule in words may go on; a time there is refused rather than guessed.
  std::string footer(reinterpret_cast<const char*>(file.data()) + end, file.size() - end);
  if (footer.find(',') != std::string::npos && !transitions_.empty()) last_known_s_ = transitions_.back().first;
}

std::int64_t TimeZone::offset_at_utc(std::int64_t utc_s) const noexcept {
  auto after = std::upper_bound(transitions_.begin(), transitions_.end(), utc_s, [](std::int64_t t, const auto& x) { return t < x.first; });
  return after == transitions_.begin() ? first_offset_ : std::prev(after)->second;
}

std::int64_t TimeZone::to_utc(std::int64_t local_ns, ClockChange change) const {
  if (is_utc()) return local_ns;
  std::int64_t s = local_ns / kNsPerSecond, ns = local_ns % kNsPerSecond;
  if (ns < 0) --s, ns += kNsPerSecond;
  // No offset is larger than a day: one of those in force then it is.
  const std::int64_t before = offset_at_utc(s - 86400), after = offset_at_utc(s + 86400);
  if (s - before > last_known_s_) {
    throw Error(ErrorKind::data, "finance.local_time", fmt::format("the tz database of this system tells '{}' up to {} only", name_, time_text(last_known_s_ * kNsPerSecond)),
                "give times in UTC or with an offset");
  }
  const bool first = offset_at_utc(s - before) == before, second = offset_at_utc(s - after) == after;
  if (before == after || (first && !second)) return (s - before) * kNsPerSecond + ns;
  if (second && !first) return (s - after) * kNsPerSecond + ns;
  if (change == ClockChange::error) {
    std::string local = time_text(local_ns);
    if (!local.empty() && local.back() == 'Z') local.pop_back();
    throw Error(ErrorKind::data, "finance.local_time", fmt::format("local time {} {} in {}", local, first ? "exists twice" : "does not exist", name_),
                "give --clock-change earlier or later, or times with an offset");
  }
  const std::int64_t larger = std::max(before, after), smaller = std::min(before, after);
  // The larger offset is the earlier instant.
  return (s - (change == ClockChange::earlier ? larger : smaller)) * kNsPerSecond + ns;
}

}  // namespace tenon::finance
