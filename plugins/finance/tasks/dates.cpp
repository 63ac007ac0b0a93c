#include "finance/tasks/dates.hpp"

#include <cstdio>

#include "finance/io/table.hpp"
#include "tenon/error.hpp"

namespace tenon::finance {

std::int64_t date_of(const std::string& text, const std::string& key) {
  int year = 0, used = 0;
  unsigned month = 0, day = 0;
  if (text.size() != 10 || std::sscanf(text.c_str(), "%4d-%2u-%2u%n", &year, &month, &day, &used) != 3 || used != 10 || !is_valid_date(year, month, day))
    throw Error(ErrorKind::usage, "finance.date", key + " is '" + text + "'", "write the day as 2002-12-31", key);
  if (!is_year_of_times(year)) throw Error(ErrorKind::usage, "finance.date", key + " is '" + text + "', outside the years 1678 to 2261 that times hold", "give a day of the file", key);
  return days_from_civil(year, month, day) * kNsPerDay;
}

}  // namespace tenon::finance
