/// Dates and times in text, to nanoseconds since 1970-01-01 UTC.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "finance/io/csv.hpp"

namespace tenon::finance {

/// The forms known without being told.
enum class DateForm : std::uint8_t {
  none,
  iso,    ///< 2003-01-02, 2003/01/02
  slash,  ///< 1/2/2003: month and day in either order
  dots,   ///< 2.1.2003: day first
};

struct DateParts {
  std::int64_t year = 0;
  unsigned month = 0, day = 0;
  std::int64_t ns = 0;         ///< of the day
  bool has_time = false;
  bool has_offset = false;
  std::int64_t offset_s = 0;   ///< local minus UTC
};

/// Splits a cell; `none` when it is no date. A slash date gives its first number as `month`, its second as `day`, unchecked.
DateForm split_date(std::string_view cell, DateParts& parts) noexcept;

/// By a format of %Y %y %m %d %H %M %S (with fractions) %b %z and literal text; %d may be absent (the first). False when the cell differs.
bool split_by_format(std::string_view cell, std::string_view format, DateParts& parts) noexcept;

/// Offsets of one zone of the tz database, read from the system's zoneinfo (TZif, RFC 8536).
class TimeZone {
 public:
  /// "UTC" needs no file. Throws a usage error finance.zone for a name that the system does not have.
  explicit TimeZone(const std::string& name);
  /// UTC of a local time; throws a data error finance.local_time when it does not exist or exists twice and `change` is error.
  std::int64_t to_utc(std::int64_t local_ns, ClockChange change) const;
  bool is_utc() const noexcept { return transitions_.empty() && first_offset_ == 0; }

 private:
  std::int64_t offset_at_utc(std::int64_t utc_s) const noexcept;
  std::string name_;
  std::vector<std::pair<std::int64_t, std::int64_t>> transitions_;  ///< (UTC s, offset from then on)
  std::int64_t first_offset_ = 0, last_known_s_ = INT64_MAX;
};

}  // namespace tenon::finance
