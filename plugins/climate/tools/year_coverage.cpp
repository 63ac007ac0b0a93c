#include "climate/tools/year_coverage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace tenon::climate {
namespace {

constexpr std::array<const char*, 12> kMonths = {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"};

int days_shown(Calendar c) { return c == Calendar::day_360 ? 360 : 365; }
double mean_year(Calendar c) { return c == Calendar::day_360 ? 360 : c == Calendar::noleap ? 365 : c == Calendar::all_leap ? 366 : 365.25; }

/// Day `d` of a year without 29 February, "11 March".
std::string day_text(Calendar calendar, int d) {
  const Calendar c = calendar == Calendar::day_360 ? Calendar::day_360 : Calendar::noleap;
  const int days = days_shown(calendar);
  const Date date = date_from_days(c, days_from_date(c, 2001, 1, 1) + (d % days + days) % days);
  return fmt::format("{} {}", date.day, kMonths[std::size_t(date.month - 1)]);
}

/// Place `slot` of a year with 29 February (of noleap and 360_day: of their own), "03-11".
std::string slot_text(Calendar calendar, std::int64_t slot, std::size_t slots) {
  const Calendar c = slots == 366 ? Calendar::all_leap : calendar;
  const Date date = date_from_days(c, days_from_date(c, 2000, 1, 1) + slot);
  return fmt::format("{:02d}-{:02d}", date.month, date.day);
}

double longest_allowed(int harmonics) { return harmonics > 0 ? 0.5 / harmonics : 1; }

}  // namespace

YearGap longest_gap(std::span<const double> x) {
  YearGap out;
  if (x.empty()) return out;
  out = {x.back(), x.front() + 1 - x.back()};
  for (std::size_t i = 1; i < x.size(); ++i)
    if (x[i] - x[i - 1] > out.length) out = {x[i - 1], x[i] - x[i - 1]};
  return out;
}

bool determines(std::span<const double> shares, int harmonics) {
  return std::ptrdiff_t(shares.size()) >= 2 * harmonics + 1 && longest_gap(shares).length <= longest_allowed(harmonics);
}

std::optional<std::string> what_is_lacking(std::vector<double> shares, int harmonics, Calendar calendar) {
  std::sort(shares.begin(), shares.end());
  if (determines(shares, harmonics)) return {};
  if (std::ptrdiff_t(shares.size()) < 2 * harmonics + 1) return fmt::format("{} times for the {} coefficients of {} harmonics", shares.size(), 2 * harmonics + 1, harmonics);
  const YearGap gap = longest_gap(shares);
  auto day = [&](double share) { return int(std::floor(share * mean_year(calendar) + 0.01)); };
  const int first = day(gap.begin) + 1, last = day(gap.begin + gap.length) - 1;
  return fmt::format("no time from {} to {} ({} days), where {} harmonics need one every {} days", day_text(calendar, first), day_text(calendar, last), last - first + 1, harmonics,
                     int(longest_allowed(harmonics) * mean_year(calendar)));
}

std::string uncovered_text(const std::vector<char>& covered, Calendar calendar) {
  std::string out;
  if (covered.size() == 12) {
    for (std::size_t m = 0; m < 12; ++m)
      if (!covered[m]) out += (out.empty() ? "" : ", ") + std::string(kMonths[m]);
    return out;
  }
  const auto n = covered.size();
  std::size_t lacking = 0, runs = 0;
  std::string list;
  for (std::size_t d = 0; d < n; ++d) {
    lacking += !covered[d];
    if (covered[d] || (d > 0 && !covered[d - 1])) continue;
    std::size_t last = d;
    while (last + 1 < n && !covered[last + 1]) ++last;
    if (++runs > 4) continue;
    list += (list.empty() ? "" : ", ") + slot_text(calendar, std::int64_t(d), n) + (last > d ? " to " + slot_text(calendar, std::int64_t(last), n) : "");
  }
  return fmt::format("{} day{}: {}{}", lacking, lacking == 1 ? "" : "s", list, runs > 4 ? fmt::format(" and {} more stretches", runs - 4) : "");
}

}  // namespace tenon::climate
