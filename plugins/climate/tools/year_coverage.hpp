/// Does a base period tell the annual cycle? Harmonics fitted to a part of the year swing far beyond all values in the rest of it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "climate/io/calendar.hpp"

namespace tenon::climate {

/// The longest stretch of the year without a time, around New Year too; in shares of a year.
struct YearGap {
  double begin = 0, length = 1;
};
/// `shares`: the part of the year that has passed at each time, in [0, 1], ascending.
YearGap longest_gap(std::span<const double> shares);

/// Do times at these shares of the year (ascending) determine `harmonics` and a mean: no fewer than the coefficients, and no gap longer than half a
/// period of the highest harmonic?
bool determines(std::span<const double> shares, int harmonics);
/// What is lacking, as a sentence with the days; nothing where they do. `shares` in any order.
std::optional<std::string> what_is_lacking(std::vector<double> shares, int harmonics, Calendar calendar);

/// Places that are false, as text: months ("February, March") of 12, else days of a year with 29 February ("60 days: 03-01 to 04-29").
std::string uncovered_text(const std::vector<char>& covered, Calendar calendar);

}  // namespace tenon::climate
