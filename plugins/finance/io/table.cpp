#include "finance/io/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "tenon/error.hpp"
#include "tenon/params.hpp"

namespace tenon::finance {

const char* name_of(CellType type) noexcept {
  switch (type) {
    case CellType::integer: return "integer";
    case CellType::real: return "real";
    case CellType::boolean: return "boolean";
    case CellType::date: return "date";
    case CellType::time: return "time";
    case CellType::text: return "text";
  }
  return "?";
}

std::string plain_name(std::string_view name) {
  std::string out;
  for (char c : name)
    if (c != ' ' && c != '_' && c != '.') out += char(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

bool Column::is_missing(std::int64_t row) const noexcept {
  auto i = std::size_t(row);
  if (type == CellType::real) return std::isnan(reals[i]);
  if (type == CellType::text) return texts[i].data() == nullptr;
  return integers[i] == kMissing;
}

std::vector<double> Column::numbers() const {
  if (type == CellType::real) return reals;
  if (!is_number()) {
    throw Error(ErrorKind::data, "finance.column_type", fmt::format("column '{}' holds {}s where numbers are needed", name, name_of(type)), "name another column");
  }
  std::vector<double> out(integers.size());
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = integers[i] == kMissing ? std::numeric_limits<double>::quiet_NaN() : double(integers[i]);
  return out;
}

std::int64_t Table::line_of(std::int64_t row) const noexcept {
  auto after = std::upper_bound(lines.begin(), lines.end(), row, [](std::int64_t r, const auto& entry) { return r < entry.first; });
  if (after == lines.begin()) return row + 1;
  --after;
  return after->second + (row - after->first);
}

const Column* Table::find(std::string_view name) const noexcept {
  for (const Column& c : columns)
    if (c.name == name) return &c;
  return nullptr;
}

const Column& Table::at(std::string_view name) const {
  if (const Column* c = find(name)) return *c;
  std::vector<std::string> known;
  for (const Column& c : columns) known.push_back(c.name);
  throw Error(ErrorKind::usage, "finance.no_column", fmt::format("there is no column '{}'", name), suggestion(name, known), source);
}

const Column& Table::time_column() const {
  const Column* found = nullptr;
  for (const Column& c : columns) {
    if (!c.is_time()) continue;
    if (found) {
      throw Error(ErrorKind::data, "finance.no_time_column", fmt::format("columns '{}' and '{}' both hold dates", found->name, c.name),
                  "drop one, or name the columns to use", source);
    }
    found = &c;
  }
  if (!found) throw Error(ErrorKind::data, "finance.no_time_column", "no column holds dates or times", "declare one: --date-format or --types", source);
  return *found;
}

std::int64_t days_from_civil(std::int64_t y, unsigned m, unsigned d) noexcept {
  y -= m <= 2;
  const std::int64_t era = (y >= 0 ? y : y - 399) / 400;
  const auto yoe = unsigned(y - era * 400);
  const unsigned doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
  const unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return era * 146097 + std::int64_t(doe) - 719468;
}

CivilDate civil_from_days(std::int64_t z) noexcept {
  z += 719468;
  const std::int64_t era = (z >= 0 ? z : z - 146096) / 146097;
  const auto doe = unsigned(z - era * 146097);
  const unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const unsigned mp = (5 * doy + 2) / 153;
  const unsigned m = mp < 10 ? mp + 3 : mp - 9;
  return {std::int64_t(yoe) + era * 400 + (m <= 2), m, doy - (153 * mp + 2) / 5 + 1};
}

int weekday_of_days(std::int64_t days) noexcept { return int(days >= -4 ? (days + 4) % 7 : (days + 5) % 7 + 6); }

bool is_valid_date(std::int64_t year, unsigned month, unsigned day) noexcept {
  static constexpr unsigned kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (month < 1 || month > 12 || day < 1 || day > 31) return false;
  bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return day <= (month == 2 && leap ? 29 : kDays[month - 1]);
}

std::string time_text(std::int64_t ns) {
  if (ns == kMissing) return "missing";
  std::int64_t days = ns / kNsPerDay, rest = ns % kNsPerDay;
  if (rest < 0) --days, rest += kNsPerDay;
  CivilDate c = civil_from_days(days);
  std::string out = fmt::format("{:04}-{:02}-{:02}", c.year, c.month, c.day);
  if (rest == 0) return out;
  std::int64_t s = rest / kNsPerSecond, f = rest % kNsPerSecond;
  out += fmt::format("T{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  if (f) {
    std::string digits = fmt::format("{:09}", f);
    digits.erase(digits.find_last_not_of('0') + 1);
    out += "." + digits;
  }
  return out + "Z";
}

}  // namespace tenon::finance
